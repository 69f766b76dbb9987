"""Every way in which a file may store an image gives the pixels that were written, whoever reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import nibabel
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from pipeline.images import open_image, read_image, read_label
from pipeline.transforms import SEMReader
from tests.images.cases import assert_reads, noise
from tests.images.test_images import png_of_few_bits

SHAPE = (61, 83)
GREY, DEEP, REAL = noise(SHAPE), noise(SHAPE, "uint16"), noise(SHAPE, "float32")
BITS = GREY > 127
TWO, FOUR, TWELVE = GREY >> 6, GREY >> 4, DEEP >> 4
COLOUR = noise((*SHAPE, 3))
TABLE = noise((3, 256), "uint16", seed=3)
RAMP = np.arange(256, dtype=np.uint16) * 257
TILES: dict[str, Any] = {"tile": (32, 48)}
SMOOTH = np.add.outer(np.arange(SHAPE[0]), np.arange(SHAPE[1])).astype(np.uint8)


def tiff(pixels: np.ndarray, **options: Any) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, pixels, **options)


def packed(pixels: np.ndarray, bits: int, **options: Any) -> Callable[[Path], None]:
    """A TIFF of fewer bits than a byte, or of 12, in one strip; tifffile writes whole bytes only."""

    def write(path: Path) -> None:
        single = np.unpackbits(pixels.astype(">u2").view(np.uint8).reshape(*pixels.shape, 2), axis=-1)[..., 16 - bits :]
        rows = np.packbits(single.reshape(len(pixels), -1), axis=1)
        tifffile.imwrite(path, rows, metadata=None, **options)
        with tifffile.TiffFile(path, mode="r+") as file:
            file.pages[0].tags["ImageWidth"].overwrite(pixels.shape[1])
            file.pages[0].tags["BitsPerSample"].overwrite(bits)

    return write


def pillow(pixels: np.ndarray, mode: str | None = None, palette: np.ndarray | None = None) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        image = Image.fromarray(pixels, mode)
        if palette is not None:
            image.putpalette((palette.T >> 8).astype(np.uint8).tobytes())
        image.save(path)

    return write


def nifti(pixels: np.ndarray, kind: type = nibabel.Nifti1Image) -> Callable[[Path], None]:
    return lambda path: nibabel.save(kind(pixels.T, np.eye(4)), path)  # NIfTI's first axis is x


def mrc(pixels: np.ndarray) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with mrcfile.new(path) as file:
            file.set_data(pixels)

    return write


def in_zarr(pixels: np.ndarray) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        store = zarr.storage.ZipStore(str(path), mode="w") if path.suffix == ".zip" else str(path)
        array = zarr.open(store, mode="w", shape=pixels.shape, chunks=(32, 48), dtype=pixels.dtype)
        array[...] = pixels
        if path.suffix == ".zip":
            store.close()

    return write


def luma(red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> np.ndarray:
    """ITU-R BT.601 of 8-bit channels, in whole numbers."""
    total = 299 * red.astype(np.int64) + 587 * green.astype(np.int64) + 114 * blue.astype(np.int64)
    return (2 * total + 1000) // 2000 - (total % 2000 == 500)  # halves go to the even number


LUMA = luma(*np.moveaxis(COLOUR, -1, 0))
LUMA_OF_TABLE = luma(*(TABLE >> 8)[:, GREY])

CASES: dict[str, tuple[str, Callable[[Path], None], np.ndarray]] = {
    "grey": ("a.tif", tiff(GREY), GREY),
    "16 bit": ("a.tif", tiff(DEEP), DEEP),
    "real": ("a.tif", tiff(REAL), REAL),
    "signed": ("a.tif", tiff(DEEP.view(np.int16)), DEEP.view(np.int16).astype(np.float32)),
    "half": ("a.tif", tiff(REAL.astype(np.float16)), REAL.astype(np.float16).astype(np.float32)),
    "big-endian": ("a.tif", tiff(DEEP, byteorder=">"), DEEP),
    "strips": ("a.tif", tiff(GREY, rowsperstrip=7, compression="lzw"), GREY),
    "tiles": ("a.tif", tiff(DEEP, **TILES, compression="zlib", predictor=True), DEEP),
    "big": ("a.btf", tiff(GREY, **TILES, bigtiff=True), GREY),
    "OME": ("a.ome.tif", tiff(DEEP, **TILES, ome=True), DEEP),
    "ImageJ": ("a.tif", tiff(DEEP, imagej=True), DEEP),
    "1 bit": ("a.tif", tiff(BITS, photometric="minisblack"), 255 * BITS),
    "1 bit, tiles": ("a.tif", tiff(BITS, tile=(32, 48), compression="zlib", photometric="minisblack"), 255 * BITS),
    "1 bit, white is zero": ("a.tif", tiff(BITS, photometric="miniswhite", compression="packbits"), 255 * ~BITS),
    "2 bits": ("a.tif", packed(TWO, 2), 85 * TWO),
    "4 bits": ("a.tif", packed(FOUR, 4), 17 * FOUR),
    "4 bits, white is zero": ("a.tif", packed(FOUR, 4, photometric="miniswhite"), 255 - 17 * FOUR),
    "12 bits": ("a.tif", packed(TWELVE[:, :82], 12), TWELVE[:, :82]),
    "12 bits, white is zero": ("a.tif", packed(TWELVE[:, :82], 12, photometric="miniswhite"), 4095 - TWELVE[:, :82]),
    "white is zero": ("a.tif", tiff(DEEP, photometric="miniswhite"), 65535 - DEEP),
    "white is zero, real": ("a.tif", tiff(REAL, photometric="miniswhite"), -REAL),
    "palette": ("a.tif", tiff(GREY, photometric="palette", colormap=TABLE), LUMA_OF_TABLE),
    "palette of 8 bits": ("a.tif", tiff(GREY, photometric="palette", colormap=TABLE >> 8), LUMA_OF_TABLE),
    "palette of greys": ("a.tif", tiff(GREY, photometric="palette", colormap=np.stack([RAMP[::-1]] * 3)), 255 - GREY),
    "RGB": ("a.tif", tiff(COLOUR, **TILES, photometric="rgb"), LUMA),
    "planar": ("a.tif", tiff(np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate"), LUMA),
    "planar tiles": (
        "a.tif",
        tiff(np.moveaxis(COLOUR, -1, 0), **TILES, compression="zlib", photometric="rgb", planarconfig="separate"),
        LUMA,
    ),
    "grey with alpha": ("a.tif", tiff(np.stack([GREY, GREY[::-1]], -1), extrasamples=["unassalpha"]), GREY),
    "JPEG 2000": ("a.tif", tiff(DEEP, **TILES, compression="jpeg2000"), DEEP),
    "PNG": ("a.png", pillow(GREY), GREY),
    "PNG of 16 bit": ("a.png", pillow(DEEP), DEEP),
    "PNG of 1 bit": ("a.png", pillow(BITS), 255 * BITS),
    "PNG of 2 bits": ("a.png", lambda path: path.write_bytes(png_of_few_bits(2, TWO)) and None, 85 * TWO),
    "PNG of 4 bits": ("a.png", lambda path: path.write_bytes(png_of_few_bits(4, FOUR)) and None, 17 * FOUR),
    "PNG in colour": ("a.png", pillow(COLOUR), LUMA),
    "PNG with a palette": ("a.png", pillow(GREY, "P", TABLE), LUMA_OF_TABLE),
    "BMP": ("a.bmp", pillow(GREY), GREY),
    "BMP of 1 bit": ("a.bmp", pillow(BITS), 255 * BITS),
    "BMP with a palette": ("a.bmp", pillow(GREY, "P", TABLE), LUMA_OF_TABLE),
    "NIfTI": ("a.nii", nifti(GREY), GREY),
    "NIfTI, compressed": ("a.nii.gz", nifti(REAL), REAL),
    "NIfTI 2": ("a.nii", nifti(DEEP, nibabel.Nifti2Image), DEEP),
    "MRC": ("a.mrc", mrc(DEEP), DEEP),
    "MRC, real": ("a.mrc", mrc(REAL), REAL),
    "MRC, signed": ("a.mrc", mrc(DEEP.view(np.int16)), DEEP.view(np.int16).astype(np.float32)),
    "Zarr": ("a.zarr", in_zarr(DEEP), DEEP),
    "Zarr in a zip": ("a.zarr.zip", in_zarr(REAL), REAL),
}


@pytest.mark.parametrize("case", CASES)
def test_images(tmp_path: Path, case: str) -> None:
    name, write, pixels = CASES[case]
    expected = pixels.astype(pixels.dtype if pixels.dtype in (np.uint16, np.float32) else np.uint8)
    write(tmp_path / name)
    image = read_image(tmp_path / name)
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)
    with open_image(tmp_path / name) as source:
        assert_reads(source, expected)
    reader = SEMReader()
    assert reader.verify_suffix(tmp_path / name)
    np.testing.assert_array_equal(reader.get_data(reader.read(tmp_path / name))[0], expected)


LABELS: dict[str, tuple[str, Callable[[Path], None], np.ndarray]] = {
    **{case: CASES[case] for case in CASES if CASES[case][2] is GREY or CASES[case][2] is DEEP},
    "signed": ("a.tif", tiff((DEEP >> 1).view(np.int16)), DEEP >> 1),
    "32 bit": ("a.tif", tiff(DEEP.astype(np.int32) << 14), DEEP.astype(np.int32) << 14),
    "1 bit": ("a.tif", tiff(BITS, photometric="minisblack"), 255 * BITS),
    "1 bit, white is zero": ("a.tif", tiff(BITS, photometric="miniswhite"), 255 * ~BITS),
    "2 bits": ("a.tif", packed(TWO, 2), TWO),
    "4 bits": ("a.tif", packed(FOUR, 4), FOUR),
    "white is zero": ("a.tif", tiff(GREY, photometric="miniswhite"), GREY),
    "palette": ("a.tif", tiff(GREY, photometric="palette", colormap=TABLE), GREY),
    "palette of greys": CASES["palette of greys"],
    "BMP with a palette": ("a.bmp", pillow(GREY, "P", TABLE), GREY),
    "PNG with a palette": ("a.png", pillow(GREY, "P", TABLE), GREY),
    "PNG of 2 bits": ("a.png", lambda path: path.write_bytes(png_of_few_bits(2, TWO)) and None, TWO),
    "MRC": ("a.mrc", mrc(DEEP), DEEP),
    "Zarr": ("a.zarr", in_zarr(DEEP.astype(np.int64)), DEEP),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels(tmp_path: Path, case: str) -> None:
    name, write, expected = LABELS[case]
    write(tmp_path / name)
    label = read_label(tmp_path / name)
    assert label.dtype.kind in "iu"
    np.testing.assert_array_equal(label, expected)
    reader = SEMReader(label=True)
    np.testing.assert_array_equal(reader.get_data(reader.read(tmp_path / name))[0], expected)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_jpeg_as_pillow_decodes_it(tmp_path: Path, name: str) -> None:
    Image.fromarray(SMOOTH).save(tmp_path / name, **({"compression": "jpeg"} if name == "a.tif" else {}))
    expected = np.asarray(Image.open(tmp_path / name))
    np.testing.assert_array_equal(read_image(tmp_path / name), expected)
    with open_image(tmp_path / name) as source:
        assert_reads(source, expected)
