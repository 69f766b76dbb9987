from __future__ import annotations

import numpy as np
import pytest

from pipeline.text.prompt_writer import inside_frame


def rock(shape=(120, 160), seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(120, 20, shape).clip(0, 255).astype(np.uint8)


def test_rock_alone_is_kept():
    assert inside_frame(rock()) == (slice(0, 120), slice(0, 160))


@pytest.mark.parametrize("value", [0, 255])
def test_a_frame_is_left_out(value):
    image = np.full((140, 190), value, np.uint8)
    image[5:125, 20:180] = rock()
    assert inside_frame(image) == (slice(5, 125), slice(20, 180))


def test_dark_pores_at_the_border_are_rock():
    image = rock()
    image[-30:, 10:80] = 0  # less than half of the width
    assert inside_frame(image) == (slice(0, 120), slice(0, 160))


def test_one_value_alone_is_kept():
    assert inside_frame(np.zeros((20, 30), np.uint8)) == (slice(0, 20), slice(0, 30))
