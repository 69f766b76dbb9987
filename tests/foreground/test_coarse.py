"""The micrograph at an eighth of its resolution, against means taken pixel by pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.engine.pinned_network import rock_places, tiles_at
from pipeline.engine.scan_predictor import seen_around
from pipeline.foreground import coarse
from pipeline.foreground.coarse import CoarseMicrograph
from pipeline.foreground.measurement import Foreground
from pipeline.foreground.whole_image import seen_image
from pipeline.images import ScanStack, ScanVolume
from pipeline.images.rectangles import Roi, Window
from pipeline.networks.surroundings import FACTOR, view_margin, view_of_whole, view_side
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from tests.images.arrays import ArraySource, volume_of

REACH = 240
ROCK = np.random.default_rng(0).integers(60, 200, (300, 420), dtype=np.uint8)


def measured(*slices: np.ndarray, scale: float = 1.0, rows: int | None = None, roi: Roi | None = None, flat=False):
    volume = volume_of(*slices)
    plan = ChunkPlan(*slices[0].shape, len(slices), chunk=64, block=64, roi=roi)
    windows = Windows(plan, 16, (scale, scale), rows=rows)
    return volume, windows, Foreground.measured(volume, windows, skip_empty=True, flatten_shading=flat)


def expected(image: np.ndarray, inside: np.ndarray, foreground: Foreground) -> np.ndarray:
    """(h, w, 2), block by block."""
    grey = (image.astype(np.float64) - foreground.normalisation.intensity.mean) / foreground.normalisation.intensity.std
    high, wide = (-(-side // FACTOR) for side in image.shape)
    out = np.zeros((high, wide, 2))
    for row in range(high):
        for column in range(wide):
            block = np.s_[row * FACTOR : (row + 1) * FACTOR, column * FACTOR : (column + 1) * FACTOR]
            out[row, column] = (grey[block] * inside[block]).sum() / FACTOR**2, inside[block].sum() / FACTOR**2
    return out


@pytest.fixture(autouse=True)
def several_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coarse, "_SIDE", 16 * FACTOR)


@pytest.mark.parametrize("flat", [False, True], ids=["", "shading-removed-from-the-window"])
def test_means_of_grey_levels_with_shading_left_in(flat: bool) -> None:
    drifting = (ROCK * np.linspace(0.5, 1, 420)).astype(np.uint8)
    volume, windows, foreground = measured(drifting, ROCK, flat=flat)
    values = CoarseMicrograph.of(volume, windows, foreground).values
    for found, image in zip(values, (drifting, ROCK), strict=True):
        np.testing.assert_allclose(found, expected(image, np.ones(image.shape), foreground), atol=2e-3)


def test_in_a_file_as_in_memory_and_written_once(tmp_path: Path) -> None:
    seen = measured(ROCK, ROCK[::-1])
    memory, file = CoarseMicrograph.of(*seen), tmp_path / "coarse.npy"
    (tmp_path / ".coarse-0123456789ab.npy").write_bytes(b"left by a kill")
    kept = CoarseMicrograph.kept(file, *seen)
    assert [path.name for path in tmp_path.iterdir()] == ["coarse.npy"]
    np.testing.assert_array_equal(np.load(file), memory.values)
    before = file.stat().st_mtime_ns
    again = CoarseMicrograph.kept(file, *seen)
    assert file.stat().st_mtime_ns == before
    window = Window(48, 208, 64, 80)
    for one in (kept, again):
        np.testing.assert_array_equal(one.view(1, window, REACH), memory.view(1, window, REACH))


def test_an_info_bar_and_blank_ground_are_outside_and_not_black_rock() -> None:
    image = ROCK.copy()
    image[240:] = 0  # the bar
    image[:200, :40] = 255  # a frame of one value
    volume, windows, foreground = measured(image, rows=240)
    inside = np.ones(image.shape)
    inside[:200, :40] = 0
    found = CoarseMicrograph.of(volume, windows, foreground)
    assert found.values.shape == (1, 30, 53, 2)
    np.testing.assert_allclose(found.values[0], expected(image[:240], inside[:240], foreground), atol=3e-3)
    view = found.view(0, Window(176, 0, 64, 64), REACH)
    assert (view[:, view_margin(REACH) + 8 :] == 0).all()  # below the last row


def test_views_of_neighbours_agree_and_reach_beyond_the_scan() -> None:
    found = CoarseMicrograph.of(*measured(ROCK))
    whole = found.view(0, Window(0, 0, 320, 432), REACH)
    assert whole.shape == (2, view_side(320, REACH), view_side(432, REACH))
    margin = view_margin(REACH)
    np.testing.assert_array_equal(
        whole[:, margin : margin + 38, margin : margin + 53], found.values[0].transpose(2, 0, 1).astype(np.float32)
    )
    assert np.count_nonzero(whole[1]) == 38 * 53
    for window in (Window(0, 0, 64, 64), Window(112, 240, 96, 64), Window(288, 400, 32, 32)):
        rows, columns = (
            slice(start // FACTOR, start // FACTOR + view_side(side, REACH))
            for start, side in zip(window[:2], window[2:], strict=True)
        )
        np.testing.assert_array_equal(found.view(0, window, REACH), whole[:, rows, columns])


def test_a_network_on_its_own_sees_what_a_command_sees_of_a_whole_micrograph() -> None:
    volume, windows, foreground = measured(ROCK)
    high, wide = ROCK.shape
    grey = foreground.normalisation.with_shading(ROCK)
    image = np.stack([np.zeros_like(grey), grey])[None]  # a first channel without shading is not looked at
    found = view_of_whole(torch.from_numpy(image), REACH)[0]
    seen = CoarseMicrograph.of(volume, windows, foreground).view(0, Window(0, 0, high, wide), REACH)
    np.testing.assert_allclose(found, seen, atol=3e-3)


@pytest.mark.parametrize("scale", [0.5, 1.6])
def test_at_the_scale_that_the_network_sees(scale: float) -> None:
    volume, windows, foreground = measured(ROCK, scale=scale)
    values = CoarseMicrograph.of(volume, windows, foreground).values
    tiles = tiles_at(volume, windows, foreground, [(0, Window(0, 0, *windows.shape))])[0, 0]
    high, wide = (side // FACTOR for side in windows.shape)
    means = tiles[: high * FACTOR, : wide * FACTOR].reshape(high, FACTOR, wide, FACTOR).mean((1, 3))
    np.testing.assert_allclose(values[0, :high, :wide, 0], means, atol=2e-3)
    assert rock_places(volume, windows, foreground, 64, 4)


def test_what_can_not_be_read_and_need_not_be_is_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    read = ArraySource._read

    def damaged(self: ArraySource, top: int, left: int, height: int, width: int) -> np.ndarray:
        if top < 100 and left < 100:
            raise ValueError("damaged")
        return read(self, top, left, height, width)

    monkeypatch.setattr(ArraySource, "_read", damaged)
    image = np.tile(ROCK, (2, 2))
    found = CoarseMicrograph.of(*measured(image, roi=Roi(400, 300, 64, 64)))
    assert (found.values[0, :16, :16] == 0).all()
    assert (found.values[0, 16:-1, 16:-1, 1] == 1).all()


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_of_a_region_only_what_the_network_sees_is_read_and_is_the_same(
    scale: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.tile(ROCK, (8, 5))
    volume, windows, foreground = measured(image, image[::-1], scale=scale, roi=Roi(1300, 1500, 100, 90))
    whole = CoarseMicrograph.of(volume, windows, foreground)
    monkeypatch.setattr("pipeline.engine.scan_predictor.TILES", 2)
    seen = seen_around(volume, windows, foreground, REACH)
    read, pixels = ArraySource._read, []

    def counted(self: ArraySource, top: int, left: int, height: int, width: int) -> np.ndarray:
        pixels.append(height * width)
        return read(self, top, left, height, width)

    monkeypatch.setattr(ArraySource, "_read", counted)
    part = CoarseMicrograph.of(volume, windows, foreground, seen)
    kept = CoarseMicrograph.kept(tmp_path / "coarse.npy", volume, windows, foreground, seen)
    if scale == 1:  # else the tiles for the statistics see most of it
        assert sum(pixels) < 1.5 * image.size  # of two passes over two slices
    np.testing.assert_array_equal(np.load(kept.values), part.values)
    assert not part.values.all(-1).all()
    places = [(0, Window(1488, 1296, 112, 112)), *seen.windows]
    assert {index for index, _ in places} == {0, 1}
    for place in places:
        np.testing.assert_array_equal(part.view(*place, REACH), whole.view(*place, REACH))


def test_a_scan_is_read_once_more_for_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    read, pixels = ArraySource._read, []

    def counted(self: ArraySource, top: int, left: int, height: int, width: int) -> np.ndarray:
        pixels.append(height * width)
        return read(self, top, left, height, width)

    monkeypatch.setattr(ArraySource, "_read", counted)
    monkeypatch.setattr("pipeline.foreground.measurement._PIXELS", 1 << 14)
    image = np.tile(ROCK, (4, 3))
    for roi in (None, Roi(500, 400, 100, 90)):
        pixels.clear()
        seen = measured(image, roi=roi)
        # all pixels, those of the last cells twice, and a sample of them, whatever the region
        assert sum(pixels) < 1.35 * image.size
        pixels.clear()
        CoarseMicrograph.of(*seen)
        assert sum(pixels) == image.size


def test_an_info_bar_on_top_is_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.vstack([np.zeros((64, 420), np.uint8), ROCK])
    volume = ScanVolume(ScanStack("array.tif", [lambda: ArraySource(image)]), "top:64")
    windows = Windows(ChunkPlan(*image.shape, 1, chunk=64, block=64), 16, rows=volume.rows.stop)
    foreground = Foreground.measured(volume, windows, skip_empty=True, flatten_shading=False)
    found = CoarseMicrograph.of(volume, windows, foreground).values[0]
    assert (found[:8] == 0).all()
    np.testing.assert_allclose(found[8:], expected(ROCK, np.ones(ROCK.shape), foreground), atol=2e-3)


def test_a_whole_image_in_training_is_shown_as_in_a_scan() -> None:
    seen, found = seen_image(ROCK, "rock"), CoarseMicrograph.of(*measured(ROCK, flat=True))
    np.testing.assert_array_equal(seen.coarse, found.values[0].transpose(2, 0, 1).astype(np.float32))
    flat = seen_image(np.full((40, 40), 7, np.uint8), "flat")
    assert flat.coarse.shape == (2, 5, 5)
    assert not flat.coarse.any()
