from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.errors import UserError
from pipeline.images import ScanStack
from pipeline.images.volume import ScanVolume, open_volume
from tests.images.arrays import ArraySource

SLICES = np.random.default_rng(0).integers(0, 255, (9, 40, 60), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, pixels in enumerate(SLICES):
        Image.fromarray(pixels).save(tmp_path / f"s{number}.png")
    return tmp_path


def test_slices_are_read_by_many_threads(folder: Path) -> None:
    with open_volume(str(folder), stack=True) as volume, ThreadPoolExecutor(4) as threads:
        assert (volume.depth, volume.shape) == (9, (40, 60))
        places = [(int(i), int(y)) for i, y in np.random.default_rng(1).integers(0, 9, (200, 2))]
        windows = threads.map(lambda place: volume.read(*place, 3, 20, 30), places)
        for (index, top), window in zip(places, windows, strict=True):
            np.testing.assert_array_equal(window, SLICES[index, top : top + 20, 3:33])


def test_few_slices_stay_open() -> None:
    is_open: set[int] = set()

    class Noted(ArraySource):
        def close(self) -> None:
            is_open.remove(id(self))

    def opened(pixels: np.ndarray) -> Noted:
        source = Noted(pixels)
        is_open.add(id(source))
        return source

    with ScanVolume(ScanStack("array.tif", [partial(opened, pixels) for pixels in SLICES])) as volume:
        for index in np.random.default_rng(1).integers(0, 9, 100):
            volume.read(int(index), 0, 0, 20, 30)
            assert 1 <= len(is_open) <= 4
    assert not is_open


def test_a_slice_of_another_size_is_told(folder: Path) -> None:
    Image.fromarray(SLICES[0, :30]).save(folder / "s5.png")
    with open_volume(str(folder), stack=True) as volume, pytest.raises(UserError, match=r"s5\.png.*60 x 30"):
        volume.read(5, 0, 0, 10, 10)


def test_a_slice_of_another_bit_depth_is_refused(folder: Path) -> None:
    """Its grey values are of another scale, and all slices are normalised alike."""
    Image.fromarray(SLICES[5].astype(np.uint16) * 257).save(folder / "s5.png")
    with open_volume(str(folder), stack=True) as volume:
        volume.read(4, 0, 0, 10, 10)
        with pytest.raises(UserError, match=r"s5\.png.*uint16, but that of the first slice is uint8"):
            volume.read(5, 0, 0, 10, 10)


@pytest.mark.parametrize("page", [0, 2])
def test_a_stack_has_no_page(folder: Path, page: int) -> None:
    with pytest.raises(UserError, match=f"--page {page} only one: give one of the two"):
        open_volume(str(folder), stack=True, page=page)


def test_a_changed_slice_changes_the_fingerprint(folder: Path) -> None:
    with open_volume(str(folder), stack=True) as volume:
        before = volume.fingerprint()
        assert before == volume.fingerprint()
    Image.fromarray(SLICES[0]).save(folder / "s7.png")
    with open_volume(str(folder), stack=True) as volume:
        assert volume.fingerprint() != before


def test_a_folder_is_a_stack_only_if_the_user_says_so(folder: Path) -> None:
    with pytest.raises(UserError, match="folder of 9 images"):
        open_volume(str(folder))
    with open_volume(str(folder / "s3.png")) as volume:
        assert volume.depth == 1
        assert volume.fingerprint()["name"] == "s3.png"


def test_colours_around_a_grey_middle_are_told(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (600, 300, 1), np.uint8).repeat(3, axis=2)
    image[:350, :, 1] //= 2  # not so the rows at the bottom, which are looked at for an info bar
    image[268:332, 118:182] = 100
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb", tile=(16, 16))
    with open_volume(str(tmp_path / "a.tif")) as volume:
        assert volume.acquisition is not None
        assert any("colour channels differ" in line for line in volume.acquisition.warnings)


def test_slices_of_another_scale_are_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, size in (("a", 4), ("b", 4), ("c", 8), ("d", 8)):
        per_cm = 1e7 / size
        image = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
        tifffile.imwrite(tmp_path / f"{name}.tif", image, resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    with open_volume(str(tmp_path), stack=True) as volume:
        for index in range(4):
            volume.read(index, 0, 0, 8, 8)
    told = [record.getMessage() for record in caplog.records if "nm wide" in record.getMessage()]
    assert len(told) == 1
    assert "c.tif: its pixels are 8 nm wide, but those of the first slice 4 nm" in told[0]
