from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk, line

from pipeline.synthetic.dataset import describe_pores


def cracks(degrees: float) -> np.ndarray:
    label = np.zeros((300, 300), np.uint8)
    dx, dy = 12 * np.cos(np.deg2rad(degrees)), -12 * np.sin(np.deg2rad(degrees))
    for y in range(30, 290, 40):
        for x in range(30, 290, 40):
            rows, columns = line(round(y - dy), round(x - dx), round(y + dy), round(x + dx))
            label[rows, columns] = 1
    return label


def discs(radius: int) -> np.ndarray:
    label = np.zeros((300, 300), np.uint8)
    for y in range(30, 290, 40):
        for x in range(30, 290, 40):
            label[disk((y, x), radius)] = 1
    return label


@pytest.mark.parametrize(
    ("degrees", "words"),
    [
        (0, "aligned horizontally"),
        (45, "aligned along the rising diagonal"),
        (90, "aligned vertically"),
        (135, "aligned along the falling diagonal"),
        (170, "aligned horizontally"),
    ],
)
def test_cracks_are_thin_and_have_their_direction(degrees, words):
    prompt = describe_pores(cracks(degrees), 10)
    assert words in prompt
    assert "thin, elongated" in prompt
    assert "mostly isolated" in prompt


def test_discs_are_rounded_without_direction_and_have_their_size():
    prompt = describe_pores(discs(8), 100)
    assert "rounded pores of about 1.6 µm" in prompt
    assert "without a preferred direction" in prompt
    assert "of about 160 nm" in describe_pores(discs(8), 10)


def test_density_follows_porosity():
    assert "sparse" in describe_pores(discs(3), 10)
    assert "dense" in describe_pores(discs(10), 10)
    assert "covering 2 % of the area" in describe_pores(discs(4), 10)


def test_one_large_pore_is_well_connected():
    label = np.zeros((100, 100), np.uint8)
    label[40:60] = 1
    assert "well connected" in describe_pores(label, 10)


def test_no_pore_and_a_single_pixel():
    assert "no visible pores" in describe_pores(np.zeros((64, 64), np.uint8), 10)
    one = np.zeros((64, 64), np.uint8)
    one[5, 5] = 1
    assert "rounded" in describe_pores(one, 10)
