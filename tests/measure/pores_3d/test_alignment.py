from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pipeline.images.rectangles import Roi
from pipeline.images.volume import open_volume
from pipeline.measure.pores_3d import alignment
from pipeline.measure.pores_3d.alignment import slice_shifts
from tests.images.arrays import volume_of
from tests.paths import SHARED

STACK = SHARED / "shale_stack"


def rock(depth: int, side: int = 260) -> np.ndarray:
    """Slices (D, side, side) through grains, alike from one to the next, and noise that is not."""
    random = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(random.standard_normal((depth, side, side)), (3, 4, 4))
    pixels = 1000 * (smooth / smooth.std()) + 300 * random.standard_normal(smooth.shape)
    return pixels.astype(np.float32)


def whole(slices: np.ndarray) -> Roi:
    return Roi(0, 0, slices.shape[2], slices.shape[1])


def test_aligned_slices_have_no_shift() -> None:
    slices = rock(6)
    found = slice_shifts(volume_of(*slices), whole(slices))
    assert (found.pairs, found.unlike) == (5, 0)
    assert found.largest_px is not None
    assert found.largest_px < 1


@pytest.mark.parametrize("longest", [1024, 100])
def test_shifts_are_found(longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice is cut 9 rows and 12 columns further on: 15 px; also from pictures of a third of the size."""
    monkeypatch.setattr(alignment, "_SIDE", longest)
    monkeypatch.setattr(alignment, "_PIXELS", 10_000)
    cut = np.stack([pixels[9 * i : 9 * i + 200, 12 * i : 12 * i + 200] for i, pixels in enumerate(rock(6))])
    found = slice_shifts(volume_of(*cut), whole(cut))
    assert found.median_px == pytest.approx(15, abs=0.7)
    assert found.largest_px == pytest.approx(15, abs=1.5)
    assert found.unlike == 0


def test_one_slice_out_of_place_is_the_largest() -> None:
    slices = rock(8)
    slices[4] = np.roll(slices[4], 30, axis=1)
    found = slice_shifts(volume_of(*slices), whole(slices))
    assert found.median_px is not None
    assert found.median_px < 1
    assert found.largest_px == pytest.approx(30, abs=1)


def test_a_region_is_compared_alone() -> None:
    """What lies around it stands still."""
    slices = np.repeat(rock(1, 260), 4, axis=0)
    moving = rock(1, 300)[0]
    for i in range(4):
        slices[i, 20:220, 30:230] = moving[: 200 + 6 * i, :][6 * i : 6 * i + 200, :200]
    found = slice_shifts(volume_of(*slices), Roi(30, 20, 200, 200))
    assert found.median_px == pytest.approx(6, abs=0.5)


@pytest.mark.parametrize(
    "slices", [np.random.default_rng(1).random((3, 90, 80), np.float32), np.ones((3, 90, 80), np.float32)]
)
def test_slices_with_nothing_in_common_have_no_shift(slices: np.ndarray) -> None:
    found = slice_shifts(volume_of(*slices), whole(slices))
    assert (found.pairs, found.unlike) == (2, 2)
    assert found.median_px is found.largest_px is None


def test_deep_stacks_are_sampled() -> None:
    slices = np.repeat(rock(1, 60), 100, axis=0)
    assert slice_shifts(volume_of(*slices), whole(slices)).pairs == 16


@pytest.mark.data
@pytest.mark.skipif(not STACK.is_dir(), reason="the shale stack is not there")
def test_real_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """FIB-SEM slices that were not aligned lie within two pixels of each other; moved ones are found."""
    monkeypatch.setattr(alignment, "_PAIRS", 3)
    with open_volume(str(STACK), stack=True) as volume:
        found = slice_shifts(volume, Roi(0, 0, volume.shape[1], volume.rows.stop))
        assert (found.pairs, found.unlike) == (3, 0)
        assert found.largest_px is not None
        assert found.largest_px < 3
        one, other = (volume.read(i, 100, 200 + 17 * i, 800, 1000) for i in (0, 1))
        moved = slice_shifts(volume_of(one, other), Roi(0, 0, 1000, 800))
    assert moved.median_px == pytest.approx(17, abs=2)
