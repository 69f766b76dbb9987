"""Images, labels and scans are turned as their file wants them shown, and as Pillow turns them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from pipeline.errors import UserError
from pipeline.images import open_image, read_image, read_label
from tests.images.cases import assert_reads, noise

PIXELS = noise((45, 70))
TILES = {"tile": (16, 32), "compression": "zlib"}


def shown(path: Path) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(path)))


def tagged(path: Path, orientation: int, **options: object) -> Path:
    tags = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(
        path, PIXELS, extratags=tags, resolution=(1e7 / 4, 1e7 / 5), resolutionunit="CENTIMETER", **options
    )
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("options", [{}, TILES, {"rowsperstrip": 7, "compression": "lzw"}])
def test_tiff(tmp_path: Path, orientation: int, options: dict[str, object]) -> None:
    path = tagged(tmp_path / "a.tif", orientation, **options)
    image = Image.fromarray(PIXELS)
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert expected.shape == (PIXELS.shape if orientation < 5 else PIXELS.shape[::-1])
    np.testing.assert_array_equal(read_image(path), expected)
    np.testing.assert_array_equal(read_label(path), expected)
    with open_image(path) as source:
        assert_reads(source, expected)
        assert source.pixel_size_nm == pytest.approx((5, 4) if orientation < 5 else (4, 5))
        assert ("orientation" in source.fingerprint()) == (orientation > 1)
        assert (f"({orientation})" in source.describe()) == (orientation > 1)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_exif(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(PIXELS).save(tmp_path / name, exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / name), shown(tmp_path / name))
    with open_image(tmp_path / name) as source:
        assert_reads(source, shown(tmp_path / name))


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_what_is_no_orientation_changes_nothing(tmp_path: Path, orientation: int) -> None:
    np.testing.assert_array_equal(read_image(tagged(tmp_path / "a.tif", orientation)), PIXELS)


@pytest.mark.parametrize(("compression", "pixels"), [(None, PIXELS), ("zlib", PIXELS), ("ccittfax4", None)])
def test_without_a_photometric_interpretation_grey_is_black_is_zero_and_fax_white(
    tmp_path: Path, compression: str | None, pixels: np.ndarray | None
) -> None:
    path = tmp_path / "a.tif"
    if compression == "ccittfax4" and tifffile.COMPRESSION.CCITT_T6 not in tifffile.TIFF.DECOMPRESSORS:
        pytest.skip("the installed tifffile does not read faxes")
    if pixels is None:
        Image.fromarray(PIXELS > 127).save(path, compression="group4")
        pixels = np.asarray(Image.open(path)).astype(np.uint8) * 255
        if tifffile.TiffFile(path).pages[0].photometric == tifffile.PHOTOMETRIC.MINISBLACK:
            pixels = 255 - pixels
    else:
        tifffile.imwrite(path, pixels, compression=compression, metadata=None)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags[262].offset
    data[at : at + 2] = (65000).to_bytes(2, "little")  # a tag of nobody
    path.write_bytes(data)
    np.testing.assert_array_equal(read_image(path), pixels)


def test_a_compression_that_is_not_known_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags[259].valueoffset
    data = bytearray(path.read_bytes())
    data[at : at + 2] = (61234).to_bytes(2, "little")
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"a.tif: its compression \(61234\) is not known .*save it uncompressed"):
        read_image(path)


def test_tiles_that_are_not_stored_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, **TILES)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        counts = file.pages[0].databytecounts
        file.pages[0].tags["TileByteCounts"].overwrite([0, *counts[1:]])
    with open_image(tmp_path / "a.tif") as source:
        (warning,) = source.acquisition.warnings
        assert warning == f"1 of its {len(counts)} tiles are not stored; their pixels are read as 0"


def test_a_palette_that_is_missing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, metadata=None)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags[262].valueoffset
    data[at : at + 2] = (3).to_bytes(2, "little")
    path.write_bytes(data)
    with open_image(path) as source:
        assert_reads(source, PIXELS)
        assert any("palette, which is missing" in warning for warning in source.acquisition.warnings)
