from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.errors import UserError
from pipeline.foreground.intensity import Intensity, scan_intensity
from pipeline.images import ImageSource, open_image
from pipeline.images.rectangles import sample_windows
from tests.images.cases import noise


def scan(folder: Path, image: np.ndarray) -> ImageSource:
    tifffile.imwrite(folder / "a.tif", image, tile=(64, 64), compression="zlib")
    return open_image(folder / "a.tif")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_small_scans_are_measured_exactly(tmp_path: Path, dtype: str) -> None:
    image = noise((701, 513), dtype)
    measured, exact = scan_intensity(scan(tmp_path, image)), Intensity.of(image)
    assert measured.pixels == image.size
    assert (measured.mean, measured.std) == pytest.approx((exact.mean, exact.std))


def test_a_sample_is_near_the_whole_and_always_the_same(tmp_path: Path) -> None:
    shading = np.add.outer(np.linspace(0, 60, 2048), np.linspace(0, 40, 2048))
    image = (shading + noise((2048, 2048)) / 2).astype(np.uint8)
    source, exact = scan(tmp_path, image), Intensity.of(image)
    measured = scan_intensity(source, most_pixels=1 << 20)
    assert measured == scan_intensity(source, most_pixels=1 << 20)
    assert measured.pixels <= 1 << 20
    assert measured.mean == pytest.approx(exact.mean, abs=4)
    assert measured.std == pytest.approx(exact.std, rel=0.05)


@pytest.mark.parametrize("shape", [(100, 90), (5000, 700), (700, 9000), (4096, 4096)])
@pytest.mark.parametrize("block", [(1, 1), (64, 64), (3, 700), (512, 512), (8192, 8192)])
def test_windows_are_whole_blocks_apart_and_few(shape: tuple[int, int], block: tuple[int, int]) -> None:
    block = min(block[0], shape[0]), min(block[1], shape[1])
    seen = np.zeros(shape, np.uint8)
    windows = list(sample_windows(shape, block, 1 << 20))
    for top, left, height, width in windows:
        assert top % block[0] == left % block[1] == 0
        assert (top + height) % block[0] == 0 or top + height == shape[0]
        seen[top : top + height, left : left + width] += 1
    assert seen.max() == 1
    assert len(windows) == 1 or seen.sum() <= 1.5 * (1 << 20)
    assert len(windows) <= 16  # to get to a place takes longer than to read 256 x 256 pixels there
    if shape[0] * shape[1] <= 1 << 19:
        assert seen.all()


@pytest.mark.parametrize("period", [2, 4])
def test_places_do_not_fall_in_with_the_fields_of_a_mosaic(period: int) -> None:
    """Of 4 x 4 blocks one is read; each row and column of a field has its share of what is."""
    windows = list(sample_windows((64 * 256, 64 * 256), (256, 256), 1 << 24))
    assert len(windows) == 16 * 16
    for places in zip(*((window.top, window.left) for window in windows), strict=True):
        counts = np.bincount(np.array(places) // 256 % period, minlength=period)
        np.testing.assert_allclose(counts / len(windows), 1 / period, atol=0.1)


def test_what_is_skipped_does_not_count(tmp_path: Path) -> None:
    image = noise((512, 1024))
    image[:, :512] = 7
    source = scan(tmp_path, image)
    measured = scan_intensity(source, skip=lambda top, left, height, width: left + width <= 512)
    assert measured.mean == pytest.approx(image[:, 512:].mean())
    with pytest.raises(UserError, match="no rock found"):
        scan_intensity(source, skip=lambda *_: True)


def test_constant_and_nan_scans(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.tif: all of the 40000 pixels .* have the value 9: a mask"):
        scan_intensity(scan(tmp_path, np.full((200, 200), 9, np.uint8)))
    image = noise((200, 200), "float32")
    image[5, 5] = np.nan
    with pytest.raises(UserError, match="NaN"):
        scan_intensity(scan(tmp_path, image))
