from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import perimeter

from pipeline.measure.pores_2d.moments import LENGTHS, border_kinds
from tests.measure.pores_2d.shapes import SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_sum_of_the_kinds_is_scikit_images_perimeter(name: str) -> None:
    mask = SHAPES[name]
    kinds = border_kinds(np.pad(mask, ((2, 2), (1, 1))))[:, 1:-1]
    assert kinds.shape == mask.shape
    counts = np.bincount(kinds.ravel(), minlength=4)[1:]
    assert counts @ LENGTHS == pytest.approx(perimeter(mask), rel=1e-12)


def test_rows_with_their_context_add_up() -> None:
    mask = np.pad(np.random.default_rng(0).random((30, 20)) < 0.7, ((2, 2), (1, 1)))
    whole = border_kinds(mask)
    assert set(np.unique(whole)) == {0, 1, 2, 3}
    parts = [border_kinds(mask[first : first + 5 + 4]) for first in range(0, 30, 5)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
