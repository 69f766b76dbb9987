"""A mask that is opened as a scan is doubted, and no micrograph is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.foreground.intensity import NothingToSee, scan_intensity
from pipeline.images import ScanStack, ScanVolume, is_image, open_volume, read_image
from tests.images.arrays import ArraySource, volume_of
from tests.paths import SHARED

ROCK = np.random.default_rng(0).integers(90, 200, (300, 280), dtype=np.uint8)


def doubts(volume: ScanVolume) -> list[str]:
    warnings = volume.acquisition.warnings if volume.acquisition else ()
    return [warning for warning in warnings if "mask" in warning]


@pytest.mark.parametrize("values", [(0, 255), (0, 1, 2), (0.0, 1.0)])
def test_few_grey_levels_are_told(values: tuple[float, ...]) -> None:
    mask = np.zeros((3000, 2500), np.float32 if isinstance(values[0], float) else np.uint8)
    for number, value in enumerate(values):
        mask[500 * number :, 40:] = value
    assert doubts(volume_of(mask)) == [f"it has only {len(values)} grey levels: is this a mask? Give the micrograph"]


def test_a_blank_middle_is_no_mask() -> None:
    """Resin, a hole or saturated metal may fill it: the rock is beside it."""
    scan = np.zeros((2000, 2000), np.uint8)
    scan[::3, ::5] = 1
    assert doubts(volume_of(scan))
    scan[1700:, :280] = ROCK
    assert not doubts(volume_of(scan))
    assert not doubts(volume_of(np.full((300, 300), 7, np.uint8)))  # of one level: told elsewhere


def test_a_micrograph_is_looked_at_in_its_middle_only() -> None:
    class Counted(ArraySource):
        reads = 0

        def _read(self, *window: int) -> np.ndarray:
            self.reads += 1
            return super()._read(*window)

    source = Counted(np.tile(ROCK, (12, 12)))
    ScanVolume(ScanStack("array.tif", [lambda: source]))
    assert source.reads == 1
    assert source.largest <= 512**2


def test_what_cannot_be_read_is_told_where_it_is_needed(tmp_path: Path) -> None:
    image = ROCK.astype(np.float32)
    image[140:160] = np.nan
    for pixels in (image, np.stack([image] * 3, axis=2)):
        tifffile.imwrite(tmp_path / "a.tif", pixels)
        with open_volume(str(tmp_path / "a.tif")) as volume:
            assert not doubts(volume)


def test_an_info_bar_does_not_count(tmp_path: Path) -> None:
    mask = np.zeros((300, 280), np.uint8)
    mask[100:180] = 255
    mask[280:] = ROCK[:20]
    Image.fromarray(mask).save(tmp_path / "a.png")
    with open_volume(str(tmp_path / "a.png"), info_bar=20) as volume:
        assert doubts(volume)


def some_of_each_folder(most: int = 6) -> list[Path]:
    """Real images and masks, spread over each folder."""
    folders: dict[Path, list[Path]] = {}
    for path in filter(is_image, sorted(SHARED.rglob("*.*"))):
        folders.setdefault(path.parent, []).append(path)
    return [path for files in folders.values() for path in files[:: -(-len(files) // most)]]


@pytest.mark.data
@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/data")
def test_real_masks_are_doubted_or_refused_and_no_micrograph_is() -> None:
    """A mask of a single value can't be told from an empty picture here; the segmentation of a scan refuses it."""
    for path in some_of_each_folder():
        with open_volume(str(path), info_bar="auto") as volume:
            is_mask = path.parent.name in ("labels", "patch_mask") or path.stem.endswith("_labels")
            is_uniform = is_mask and len(np.unique(read_image(path))) == 1
            assert bool(doubts(volume)) == (is_mask and not is_uniform), path
            if is_uniform:
                with volume.slice(0) as source, pytest.raises(NothingToSee, match="a mask, or an empty image"):
                    scan_intensity(source)
