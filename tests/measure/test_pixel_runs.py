from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label

from pipeline.measure.pixel_runs import Connected, PlacedRuns, RunConnector, find_runs
from tests.measure.pores_2d.shapes import SHAPES


def connected(mask: np.ndarray, cuts: list[int], known: PlacedRuns, pores: int, rows: tuple[int, ...]) -> Connected:
    """The pores of a slice (H, W) that is cut into parts above the given rows."""
    connector = RunConnector(mask.shape[1], known, pores, rows)
    for top, part in zip([0, *cuts], np.split(mask, cuts), strict=True):
        connector.add(find_runs(np.pad(part, ((0, 0), (1, 1))), top))
    return connector.finish()


def painted(runs: PlacedRuns, shape: tuple[int, int]) -> np.ndarray:
    """Owner + 1 of each pixel (H, W), 0 where there is no run."""
    image = np.zeros(shape, np.int64)
    for begin, end, owner in zip(*runs, strict=True):
        row, start = divmod(int(begin), shape[1] + 2)
        assert not image[row, start : start + end - begin].any()
        image[row, start : start + end - begin] = owner + 1
    return image


def assert_same_pores(ours: np.ndarray, theirs: np.ndarray) -> None:
    """One number of ours for each of theirs."""
    np.testing.assert_array_equal(ours > 0, theirs > 0)
    pairs = np.unique(np.stack([ours[ours > 0], theirs[theirs > 0]]), axis=1)
    assert pairs.shape[1] == theirs.max() == len(np.unique(pairs[0]))


@pytest.mark.parametrize("name", SHAPES)
def test_pores_of_a_slice_are_scikit_images(name: str) -> None:
    mask, expected = SHAPES[name], label(SHAPES[name], connectivity=2)
    for cuts in ([], [len(mask) // 2], list(range(1, len(mask)))):
        found = connected(mask, cuts, PlacedRuns.none(), 0, (-1,))
        assert found.pores == expected.max()
        assert_same_pores(painted(found.runs, mask.shape), expected)


@pytest.mark.parametrize("cuts", [[], [1, 2, 9]])
def test_two_slices_are_scipys_volume(cuts: list[int]) -> None:
    """With the rows above, beside and below in the slice before, all 26 neighbours connect."""
    mask = np.random.default_rng(0).random((2, 40, 60)) < 0.12
    first = connected(mask[0], [], PlacedRuns.none(), 0, (-1, 0, 1))
    both = connected(mask[1], cuts, first.runs, first.pores, (-1, 0, 1))
    expected, count = ndimage.label(mask, np.ones((3, 3, 3)))
    assert both.pores == count
    upper = painted(first.runs._replace(owner=both.of_known[first.runs.owner]), mask[0].shape)
    assert_same_pores(np.stack([upper, painted(both.runs, mask[1].shape)]), expected)


def test_known_pores_are_joined_by_what_lies_below_them() -> None:
    # three pores in the row above; the second has two runs
    above = PlacedRuns(np.array([0, 4, 8, 12]), np.array([2, 6, 9, 13]), np.array([0, 1, 1, 2]))
    mask = np.zeros((2, 16), bool)
    mask[1, [2, 3, 13]] = True  # touches the first at a corner and the second, and the third at a corner
    found = connected(mask, [], above, 3, (-1,))
    first, second, third = found.of_known
    assert first == second != third
    assert found.runs.owner.tolist() == [first, third]
    assert found.pores == 2


def test_a_known_pore_that_nothing_touches_stays_alone() -> None:
    above = PlacedRuns(np.array([3]), np.array([5]), np.array([0]))
    mask = np.zeros((2, 9), bool)
    mask[1, [1, 6]] = True
    assert connected(mask, [], above, 1, (-1,)).pores == 3
