from __future__ import annotations

import numpy as np
import pytest

from pipeline.visual.drawing import add_legend

ENTRIES = (("true positive", (0, 114, 178)), ("false positive", (213, 94, 0)), ("missed", (240, 228, 66)))


@pytest.mark.parametrize("width", [8, 150, 400, 3000])
def test_each_colour_and_its_label_are_there_at_any_width(width):
    rgb = np.full((20, width, 3), 99, np.uint8)
    picture = add_legend(rgb, ENTRIES)
    assert picture.dtype == np.uint8
    assert picture.shape[1] >= width
    np.testing.assert_array_equal(picture[:20, :width], rgb)
    strip = picture[20:].astype(int)
    for _, colour in ENTRIES:
        rows, columns = np.nonzero((strip == colour).all(axis=2))
        assert len(rows) >= 100  # a patch of at least 10 by 10
        label = strip[rows.min() : rows.max() + 1, columns.max() + 2 :]
        assert (label.max(axis=2) < 100).any()
    assert (strip[:, -1] == 255).all()  # no letter is cut at the edge


def test_rows_grow_as_the_picture_narrows_and_letters_as_it_widens():
    heights = {width: add_legend(np.zeros((1, width, 3), np.uint8), ENTRIES).shape[0] for width in (100, 400, 2000)}
    assert heights[100] > 2 * heights[400]
    assert heights[2000] > heights[400]
