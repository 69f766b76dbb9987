from __future__ import annotations

import numpy as np
import pytest

from pipeline.synthetic.info_bar import draw_info_bar
from pipeline.text.rock_area import rock_area


def rock(shape=(120, 160), seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(120, 20, shape).clip(0, 255).astype(np.uint8)


def test_rock_alone_is_kept():
    assert rock_area(rock()) == (slice(0, 120), slice(0, 160))


@pytest.mark.parametrize("value", [0, 255])
def test_a_frame_is_left_out(value):
    image = np.full((140, 190), value, np.uint8)
    image[5:125, 20:180] = rock()
    assert rock_area(image) == (slice(5, 125), slice(20, 180))


def test_dark_pores_at_the_border_are_rock():
    image = rock()
    image[-30:, 10:80] = 0  # less than half of the width
    assert rock_area(image) == (slice(0, 120), slice(0, 160))


def test_one_value_alone_is_kept():
    assert rock_area(np.zeros((20, 30), np.uint8)) == (slice(0, 20), slice(0, 30))


def test_an_info_bar_is_left_out():
    bar = draw_info_bar(24, 160, pixel_size_nm=20.0)
    assert rock_area(np.vstack([rock(), bar])) == (slice(0, 120), slice(0, 160))
