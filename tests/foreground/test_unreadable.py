"""Damage, and pixels that are no numbers, away from the region that is segmented."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.engine.pinned_network import rock_tiles
from pipeline.engine.prediction import ChunkPredictor
from pipeline.errors import UserError
from pipeline.foreground.cell_statistics import needed_window
from pipeline.foreground.measurement import Foreground
from pipeline.foreground.shading import CELL
from pipeline.images import ScanStack
from pipeline.images.rectangles import Roi, Window
from pipeline.images.volume import ScanVolume
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from tests.images.arrays import ArraySource, volume_of

ROCK = np.random.default_rng(0).integers(60, 250, (9 * CELL + 40, 8 * CELL + 9)).astype(np.float32)
REGION = Roi(600, 610, 300, 280)
HALO = 16


class Damaged(ArraySource):
    """Tiles of 256 px, one of which can't be decoded."""

    def __init__(self, pixels: np.ndarray, error: Exception, tile: tuple[int, int] = (0, 1)) -> None:
        super().__init__(pixels)
        self.error, self.block = error, (256, 256)
        self.tile = Window(256 * tile[0], 256 * tile[1], 256, 256)

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        if Window(top, left, height, width).common(self.tile) is not None:
            raise self.error
        return super()._read(top, left, height, width)


def windows_of(roi: Roi | None, scale: float = 1.0) -> Windows:
    return Windows(ChunkPlan(*ROCK.shape, chunk=256, roi=roi), HALO, (scale, scale))


def damaged(error: Exception | None = None, tile: tuple[int, int] = (0, 1)) -> ScanVolume:
    return ScanVolume(ScanStack("array.tif", [lambda: Damaged(ROCK, error or ValueError("bad data"), tile)]))


def with_nan(*places: tuple[int, int]) -> ScanVolume:
    image = ROCK.copy()
    for row, column in places:
        image[row, column] = np.nan
    return volume_of(image)


VOLUMES = {"a NaN": lambda: with_nan((5, 7)), "a damaged tile": damaged}


@pytest.mark.parametrize("kind", VOLUMES)
@pytest.mark.parametrize("scale", [1.0, 0.6, 1.5])
@pytest.mark.parametrize(("skip_empty", "flatten"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_region_is_segmented_though_the_scan_is_damaged_elsewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, scale: float, skip_empty: bool, flatten: bool
) -> None:
    volume, windows = VOLUMES[kind](), windows_of(REGION, scale)
    whole = Foreground.measured(volume_of(ROCK), windows, skip_empty, flatten)
    for _ in range(2):  # as it is measured, and as it is kept
        caplog.clear()
        with caplog.at_level(logging.WARNING, "vlsenet"):
            foreground = Foreground.kept(tmp_path / "foreground.npz", volume, windows, skip_empty, flatten, "key")
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "array.tif" in caplog.text
        assert "can't be read or holds NaN" in caplog.text
        assert foreground.normalisation.intensity.mean == pytest.approx(whole.normalisation.intensity.mean, rel=0.01)
        assert foreground.normalisation.intensity.std == pytest.approx(whole.normalisation.intensity.std, rel=0.01)
        if flatten:
            np.testing.assert_allclose(
                foreground.normalisation.shading[0].levels, whole.normalisation.shading[0].levels, atol=0.3
            )
        tiles = rock_tiles(volume, windows, foreground, 128, 16)[:, 0]
        assert np.isfinite(tiles).all()
        plan = windows.plan
        assert all(foreground.rock(plan, plan[index]).all() for index in range(len(plan)))
        predictor = ChunkPredictor(volume, windows, lambda batch: batch, foreground, 1, torch.device("cpu"))
        assert np.isfinite(predictor.probability()).all()


@pytest.mark.parametrize("kind", VOLUMES)
def test_the_whole_scan_must_be_readable_without_a_region(kind: str) -> None:
    with pytest.raises(UserError, match=r"array\.tif: .*(NaN|damaged)") as caught:
        Foreground.measured(VOLUMES[kind](), windows_of(None), True, True)
    assert "--roi 0" not in str(caught.value)


@pytest.mark.parametrize(("row", "fits"), [(REGION.y - HALO - 1, False), (REGION.y - HALO - 32, True)])
def test_what_lies_around_the_region_is_needed_as_far_as_the_network_looks(row: int, fits: bool) -> None:
    windows, volume = windows_of(REGION), with_nan((row, REGION.x + 5))
    if fits:
        assert Foreground.measured(volume, windows, True, True).unreadable.sum() == 1
    else:
        with pytest.raises(UserError, match=r"NaN .* \(--roi 600,610,300,280 is read with \d+ pixels around it\)"):
            Foreground.measured(volume, windows, True, True)


@pytest.mark.parametrize("scale", [1.0, 0.6, 1.5])
@pytest.mark.parametrize("roi", [REGION, Roi(0, 0, 300, 280), Roi(700, 900, 333, 292)])
def test_nothing_is_needed_but_what_the_windows_are_read_from(roi: Roi, scale: float) -> None:
    windows = windows_of(roi, scale)
    top, left, height, width = needed_window(windows)
    image = np.full_like(ROCK, np.nan)
    image[top : top + height, left : left + width] = 100.0
    foreground = Foreground.measured(volume_of(ROCK), windows, True, True)
    source = ArraySource(ROCK)
    volume = ScanVolume(ScanStack("array.tif", [lambda: source]))
    source.pixels = image  # when a scan is opened, its lowest rows are looked at
    predictor = ChunkPredictor(volume, windows, lambda batch: batch, foreground, 1, torch.device("cpu"))
    assert np.isfinite(predictor.probability()).all()
    assert height <= (roi.height + 2 * HALO / scale) + 16 / scale + 8
    assert width <= (roi.width + 2 * HALO / scale) + 16 / scale + 8


@pytest.mark.parametrize("error", [OSError("gone"), MemoryError()])
def test_a_missing_file_or_memory_is_no_damage(error: Exception) -> None:
    with pytest.raises(UserError):
        Foreground.measured(damaged(error), windows_of(REGION), True, True)


def test_what_is_not_read_is_neither_ground_nor_texture() -> None:
    image = np.pad(ROCK[:-300, :-300], ((300, 0), (0, 300)), constant_values=-9999)
    alone = Foreground.measured(volume_of(image), windows_of(REGION), True, True)
    source = Damaged(image, ValueError("bad data"), (2, 0))
    volume = ScanVolume(ScanStack("array.tif", [lambda: source]))
    foreground = Foreground.measured(volume, windows_of(REGION), True, True)
    assert foreground.unreadable.sum() == 4
    (found,), (other,) = foreground.masks, alone.masks
    np.testing.assert_array_equal(found.empty, other.empty)
    np.testing.assert_array_equal(found.blank.counts(), other.blank.counts())
    assert foreground.normalisation.limits == alone.normalisation.limits
