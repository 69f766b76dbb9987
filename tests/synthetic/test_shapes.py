from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops

from pipeline.synthetic.shapes import blob, lens, paste


@pytest.mark.parametrize("degrees", [0, 35, 90, 145])
def test_lens_is_thin_and_points_counter_clockwise(degrees):
    rng = np.random.default_rng(degrees)
    patches = [lens(rng, 40, 6, np.deg2rad(degrees), roughness=0.1) for _ in range(30)]
    turns, aspects = [], []
    for patch in patches:
        region = max(regionprops(patch.astype(np.uint8)), key=lambda found: found.area)
        # skimage's angle starts at the row axis, a quarter turn from the x axis.
        turns.append(np.exp(2j * (region.orientation + np.pi / 2)))
        aspects.append(region.axis_major_length / region.axis_minor_length)
    error = (np.rad2deg(np.angle(np.mean(turns))) / 2 - degrees + 90) % 180 - 90
    assert abs(error) < 5
    assert np.mean(aspects) > 3.5


def test_blob_covers_the_area_of_its_radius():
    rng = np.random.default_rng(0)
    for aspect in (1.0, 2.0):
        area = np.mean([blob(rng, 10, aspect, 0.4, roughness=0.05).sum() for _ in range(50)])
        assert area == pytest.approx(np.pi * 10**2, rel=0.1)


@pytest.mark.parametrize("y", [-30, -2, 0, 5, 19, 22, 60])
@pytest.mark.parametrize("x", [-30, 0, 14, 29, 60])
def test_paste_agrees_with_pixel_by_pixel_placing(y, x):
    patch = np.random.default_rng(0).random((7, 9)) < 0.5
    canvas = np.zeros((20, 30), bool)
    window, part = paste(canvas.shape, y, x, patch)
    canvas[window] = part
    expected = np.zeros_like(canvas)
    for i in range(7):
        for j in range(9):
            if 0 <= y + i - 3 < 20 and 0 <= x + j - 4 < 30:
                expected[y + i - 3, x + j - 4] = patch[i, j]
    assert np.array_equal(canvas, expected)
