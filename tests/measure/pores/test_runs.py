from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label

from pipeline.measure.pores.runs import Front, connect, find_runs
from tests.measure.pores.shapes import SHAPES

NO_FRONT = Front(*(np.zeros(0, np.int64),) * 3)


@pytest.mark.parametrize("name", SHAPES)
def test_runs_paint_the_mask_and_their_components_are_scikit_images(name: str) -> None:
    mask = SHAPES[name]
    runs = find_runs(np.pad(mask, ((0, 0), (1, 1))))
    connection = connect(runs, NO_FRONT, 0, mask.shape[1])
    painted = np.zeros(mask.shape, np.int64)
    for row, start, stop, component in zip(*runs, connection.of_run, strict=True):
        assert not painted[row, start:stop].any()
        painted[row, start:stop] = component + 1
    np.testing.assert_array_equal(painted > 0, mask)
    expected = label(mask, connectivity=2)
    assert connection.total == expected.max()
    # one of ours for each of theirs
    pairs = np.unique(np.stack([painted[mask], expected[mask]]), axis=1)
    assert pairs.shape[1] == expected.max()


def test_open_pores_are_joined_by_what_lies_below_them() -> None:
    # three open pores; the second has two runs in the row above
    front = Front(np.array([0, 4, 8, 12]), np.array([2, 6, 9, 13]), np.array([0, 1, 1, 2]))
    below = np.zeros((1, 16), bool)
    below[0, [2, 3, 13]] = True  # touches the first at a corner and the second, and the third at a corner
    connection = connect(find_runs(np.pad(below, ((0, 0), (1, 1)))), front, 3, 16)
    first, second, third = connection.of_open
    assert first == second != third
    assert connection.of_run.tolist() == [first, third]
    assert connection.total == 2


def test_an_open_pore_that_nothing_touches_stays_alone() -> None:
    front = Front(np.array([3]), np.array([5]), np.array([0]))
    below = np.zeros((1, 9), bool)
    below[0, [1, 6]] = True
    connection = connect(find_runs(np.pad(below, ((0, 0), (1, 1)))), front, 1, 9)
    assert connection.total == 3
