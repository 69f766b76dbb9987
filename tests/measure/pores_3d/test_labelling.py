from __future__ import annotations

import gc
import tracemalloc
import weakref
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from pipeline.engine import ScanStore
from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.measure.pores_3d import labelling as masks
from pipeline.measure.pores_3d.labelling import RunLabels, _labelled, label_volume
from pipeline.tiling.chunk_plan import ChunkPlan
from tests.measure.pores_3d.stacks import MemoryStore, library_labels, stored

shapes = st.tuples(st.integers(1, 7), st.integers(1, 40), st.integers(1, 40))


def check(mask: np.ndarray) -> None:
    """Records and labels against SciPy's labels of the whole array."""
    store = MemoryStore(mask)
    expected = library_labels(mask)
    with TemporaryDirectory() as folder:
        records = label_volume(store, Path(folder))
        labels = np.concatenate(list(_labelled(store, RunLabels(Path(folder))))).reshape(mask.shape)
    np.testing.assert_array_equal(labels, expected)
    index = np.arange(1, expected.max() + 1)
    assert len(records) == len(index)
    if not len(index):
        return
    np.testing.assert_array_equal(records["voxels"], np.bincount(expected.ravel())[1:])
    np.testing.assert_array_equal(records["first"], np.unique(expected, return_index=True)[1][-len(index) :])
    boxes = ndimage.find_objects(expected)
    for place, axis in enumerate("zyx"):
        np.testing.assert_array_equal(records[f"min_{axis}"], [box[place].start for box in boxes])
        np.testing.assert_array_equal(records[f"max_{axis}"], [box[place].stop - 1 for box in boxes])
        mean = np.array(ndimage.center_of_mass(mask, expected, index))[:, place]
        np.testing.assert_allclose(records[f"sum_{axis}"] / records["voxels"], mean, rtol=1e-12, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(arrays(bool, shapes))
def test_equals_scipy_on_any_volume(mask: np.ndarray) -> None:
    check(mask)


@pytest.mark.parametrize("share", [0.02, 0.08, 0.2, 0.6, 0.97])
@pytest.mark.parametrize("pixels", [100, 1 << 22])
def test_equals_scipy_on_random_volumes(share: float, pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near the percolation threshold of 26 neighbours (0.097) and far from it; a row or two at a time, or more."""
    monkeypatch.setattr(masks, "_PIXELS", pixels)
    check(np.random.default_rng(int(share * 100)).random((9, 45, 53)) < share)


@pytest.mark.parametrize("value", [False, True])
def test_empty_and_full(value: bool) -> None:
    check(np.full((4, 20, 35), value))


def spiral(side: int) -> np.ndarray:
    """A line of one pixel's width that winds towards the middle with a gap of one, (side, side)."""
    turns = np.zeros((side, side), bool)
    y, x, (dy, dx) = 0, 0, (0, 1)
    turns[0, 0] = True
    while True:
        moved = False
        for _ in range(2):
            while True:
                ahead, after = (y + dy, x + dx), (y + 2 * dy, x + 2 * dx)
                if not (0 <= ahead[0] < side and 0 <= ahead[1] < side):
                    break
                if 0 <= after[0] < side and 0 <= after[1] < side and turns[after]:
                    break
                y, x = ahead
                turns[y, x], moved = True, True
            dy, dx = dx, -dy
        if not moved:
            return turns


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_spirals_that_meet_late(axes: tuple[int, int, int]) -> None:
    """In a slice, and wound through the slices: many open ends that turn out to be one pore."""
    mask = np.zeros((5, 33, 33), bool)
    mask[1] = spiral(33)
    mask[3] = spiral(33)[::-1]
    mask[1:4, 0, 0] = True  # joined at one end only
    check(mask.transpose(axes))


def test_branches_that_meet_in_the_last_slice() -> None:
    mask = np.zeros((12, 30, 30), bool)
    mask[:, ::3, ::3] = True
    mask[-1] = True
    check(mask)
    assert len(label_volume(MemoryStore(mask))) == 1


def test_corners_connect() -> None:
    """26 neighbours: two voxels that share a corner only are one pore, with a gap of one they are two."""
    mask = np.zeros((3, 5, 5), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 0, 2] = True
    assert len(label_volume(MemoryStore(mask))) == 1
    mask[1] = False
    assert len(label_volume(MemoryStore(mask))) == 2


def test_a_slice_agrees_with_8_neighbours() -> None:
    mask = np.random.default_rng(0).random((1, 60, 60)) < 0.3
    assert len(label_volume(MemoryStore(mask))) == ndimage.label(mask[0], np.ones((3, 3)))[1]


def test_from_a_store_on_disk(tmp_path: Path) -> None:
    """Chunks and a region in the scan; records count in the region."""
    mask = np.random.default_rng(3).random((4, 37, 50)) < 0.1
    from_disk = label_volume(stored(tmp_path, mask, roi=Roi(7, 5, 50, 37)))
    np.testing.assert_array_equal(from_disk, label_volume(MemoryStore(mask, chunk=64)))


def test_a_missing_chunk_is_told(tmp_path: Path) -> None:
    store = stored(tmp_path, np.ones((2, 20, 20), bool))
    (store.path / "0/0/0/1/0/1").unlink()
    with pytest.raises(UserError, match="missing or damaged"):
        label_volume(store)


class Watched(np.ndarray):
    """An array that can be watched being forgotten."""


class Rods:
    """A store that makes its slices when they are read: rods along z, and specks that differ from slice to slice."""

    def __init__(self, depth: int, side: int = 256) -> None:
        self.plan = ChunkPlan(side, side, depth=depth, chunk=64, block=64)
        self.shapes = [(depth, side, side)]
        self.alive: weakref.WeakSet[Watched] = weakref.WeakSet()
        self.most = 0

    def read(self, level: int, channel: int, at: tuple[int, int, int]) -> np.ndarray:
        pixels = np.random.default_rng(at).random((64, 64)) < 0.001
        pixels[::16, ::16] = True
        chunk = (pixels.astype(np.uint8) * 255).view(Watched)
        self.alive.add(chunk)
        self.most = max(self.most, len(self.alive))
        return chunk

    read_area, area_of, bands = ScanStore.read_area, ScanStore.area_of, ScanStore.bands
    # a chunk is known by where it lies
    Watched.__hash__ = object.__hash__  # type: ignore[assignment]
    Watched.__eq__ = object.__eq__  # type: ignore[assignment]


def test_memory_is_that_of_two_slices() -> None:
    """However deep the stack: pixels of two slices at most are alive, and what is kept of a pore is a record."""
    peak, pores = {}, {}
    for depth in (5, 60):
        rods = Rods(depth)
        gc.collect()
        tracemalloc.start()
        records = label_volume(rods)
        peak[depth], pores[depth] = tracemalloc.get_traced_memory()[1], len(records)
        tracemalloc.stop()
        assert rods.most <= 2 * 16  # chunks of two slices
    assert pores[60] - pores[5] > 50 * 55
    # as they came, joined, sorted, and the order
    assert peak[60] - peak[5] < 5 * records.itemsize * (pores[60] - pores[5])
    assert peak[5] < 4 * 256 * 256


def test_order_does_not_depend_on_how_slices_are_cut() -> None:
    mask = np.random.default_rng(1).random((5, 70, 90)) < 0.12
    one, other = (label_volume(MemoryStore(mask, chunk)) for chunk in (16, 128))
    np.testing.assert_array_equal(one, other)


def test_progress_counts_slices() -> None:
    told: list[int] = []
    label_volume(MemoryStore(np.ones((6, 4, 4), bool)), progress=told.append)
    assert sum(told) == 6
