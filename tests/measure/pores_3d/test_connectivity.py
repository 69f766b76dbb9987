from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.measure.pores_3d.connectivity import Connectivity, connectivity
from pipeline.measure.pores_3d.labelling import label_volume
from tests.measure.pores_3d.stacks import MemoryStore, library_labels

SHAPE = (10, 24, 30)


def of(mask: np.ndarray, rock: int | None = None) -> Connectivity:
    return connectivity(label_volume(MemoryStore(mask)), mask.shape, mask.size if rock is None else rock)


@pytest.mark.parametrize("axis", "zyx")
def test_a_rod_percolates_along_its_axis_only(axis: str) -> None:
    mask = np.zeros(SHAPE, bool)
    place = "zyx".index(axis)
    rod: list[int | slice] = [4, 4, 4]
    rod[place] = slice(None)
    mask[tuple(rod)] = True
    length = SHAPE[place]
    blind: list[int | slice] = [7, 20, 20]
    blind[place] = slice(0, 3)
    mask[tuple(blind)] = True
    mask[7, 12, 12] = True  # reaches nothing
    total = length + 4
    result = of(mask)
    assert result.pores == 3
    assert result.porosity == total / mask.size
    for other in "xyz":
        along = getattr(result, other)
        assert along.percolating_pores == (other == axis)
        assert along.percolating_share == pytest.approx(length / total if other == axis else 0)
        assert along.reaching_share == pytest.approx((length + 3) / total if other == axis else 0)
    assert result.isolated_share == pytest.approx(1 / total)
    assert result.largest_share == pytest.approx(length / total)


@settings(max_examples=40, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20))))
def test_shares_by_their_definition(mask: np.ndarray) -> None:
    """Voxel by voxel, from SciPy's labels: in how many of the pore voxels' pores lie both faces, one, none."""
    labels = library_labels(mask)
    result = of(mask)
    if not mask.any():
        assert (result.porosity, result.pores) == (0, 0)
        assert result.x.percolating_share is result.isolated_share is result.largest_share is None
        return
    inside = labels[mask]
    at_faces: list[np.ndarray] = []
    for place, axis in enumerate("zyx"):
        ends = [np.isin(inside, labels.take(end, axis=place)) for end in (0, -1)]
        along = getattr(result, axis)
        assert along.percolating_share == pytest.approx(np.mean(ends[0] & ends[1]))
        assert along.reaching_share == pytest.approx(np.mean(ends[0] | ends[1]))
        assert along.percolating_pores == len(np.unique(inside[ends[0] & ends[1]]))
        at_faces += ends
    assert result.isolated_share == pytest.approx(1 - np.mean(np.any(at_faces, axis=0)))
    assert result.largest_share == pytest.approx(np.bincount(inside).max() / len(inside))


def test_porosity_is_of_the_rock() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[:, :4, :5] = True
    assert of(mask, rock=1000).porosity == 0.2
    assert of(np.zeros(SHAPE, bool), rock=0).porosity is None


def test_all_pore_percolates_everywhere() -> None:
    result = of(np.ones(SHAPE, bool))
    assert [getattr(result, axis).percolating_share for axis in "xyz"] == [1, 1, 1]
    assert result.porosity == 1
