from __future__ import annotations

import numpy as np
import pytest

from pipeline.synthetic.sample import draw_info_bar


@pytest.mark.parametrize(
    ("width", "pixel_nm", "bar_nm"), [(1000, 20.0, 2000), (512, 5.0, 500), (2048, 97.66, 20000), (300, 1.0, 50)]
)
def test_scale_bar_is_a_round_length_drawn_to_scale(width, pixel_nm, bar_nm):
    strip = draw_info_bar(60, width, pixel_nm)
    assert strip.shape == (60, width)
    assert strip.dtype == np.uint8
    solid_row = strip[round(0.72 * 60) + 1] == 255
    edges = np.flatnonzero(np.diff(np.concatenate([[0], solid_row, [0]])))
    longest = np.max(edges[1::2] - edges[::2])
    assert longest == pytest.approx(bar_nm / pixel_nm, abs=1.5)


def test_text_stands_to_the_left_of_the_scale_bar():
    strip = draw_info_bar(40, 800, 10.0)
    assert (strip[5:35, :300] > 128).mean() > 0.03


@pytest.mark.parametrize("width", [64, 90])
def test_narrow_images_get_a_bar_too(width):
    assert draw_info_bar(12, width, 3.0).max() == 255
