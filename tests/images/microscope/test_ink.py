"""Components of what is drawn: their boxes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline.images.microscope.ink import boxes_of


@pytest.mark.parametrize("shape", [(40, 61), (7, 300), (1, 20), (20, 1)])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.9, 1.0])
def test_boxes_of_components_are_those_that_scipy_finds(shape, share):
    strokes = np.random.default_rng(7).random(shape) < share
    labels, count = ndimage.label(strokes, np.ones((3, 3)))
    found = [(y.start, x.start, y.stop, x.stop) for y, x in ndimage.find_objects(labels)]
    assert count
    np.testing.assert_array_equal(boxes_of(labels, count), found)
