from __future__ import annotations

import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.errors import UserError
from pipeline.images import open_image, read_image, whole
from pipeline.images import storage as blocks
from pipeline.images.storage import RawSource
from pipeline.images.tiff import SegmentedTiff
from tests.images.cases import assert_reads, noise, windows

TILED = {"tile": (32, 48)}
LAYOUTS: dict[str, dict[str, Any]] = {
    "one uncompressed strip": {},
    "uncompressed strips": {"rowsperstrip": 7},
    "uncompressed tiles": TILED,
    "deflate strips": {"rowsperstrip": 7, "compression": "zlib"},
    "deflate tiles": {**TILED, "compression": "zlib", "predictor": True},
    "lzw tiles": {**TILED, "compression": "lzw"},
    "zstd strips": {"rowsperstrip": 16, "compression": "zstd"},
    "one lzw strip": {"compression": "lzw"},
    "big-endian": {"byteorder": ">"},
    "big-endian deflate tiles": {**TILED, "byteorder": ">", "compression": "zlib"},
    "bigtiff": {**TILED, "bigtiff": True, "compression": "zlib"},
    "ome": {**TILED, "ome": True, "metadata": {"axes": "YX"}},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_any_layout_gives_what_was_written(tmp_path: Path, layout: str, dtype: str) -> None:
    image = noise((101, 131), dtype)
    tifffile.imwrite(tmp_path / "a.tif", image, **LAYOUTS[layout])
    with open_image(tmp_path / "a.tif") as source:
        assert_reads(source, image)
        assert source.channels == 1
        assert source.page is None
        assert not source.decoded_whole


@pytest.mark.parametrize("options", [{}, TILED, {**TILED, "compression": "zlib"}, {"planarconfig": "separate"}])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colour_becomes_grey_as_in_read_image(
    tmp_path: Path, options: dict[str, Any], channels: int, dtype: str
) -> None:
    image = noise((60, 70, channels), dtype)
    image[:20] = image[:20, :, :1]  # grey rows among the coloured
    planar = options.get("planarconfig") == "separate"
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(image, -1, 0) if planar else image, photometric="rgb", **options)
    with open_image(tmp_path / "a.tif") as source:
        assert source.channels == channels
        assert_reads(source, read_image(tmp_path / "a.tif"))


@pytest.mark.parametrize("options", [{}, {**TILED, "compression": "zlib"}])
def test_white_is_zero_and_palette(tmp_path: Path, options: dict[str, Any]) -> None:
    image = noise((60, 70))
    colours = noise((3, 256), "uint16")
    tifffile.imwrite(tmp_path / "white.tif", image, photometric="miniswhite", **options)
    tifffile.imwrite(tmp_path / "palette.tif", image, photometric="palette", colormap=colours, **options)
    for name in ("white.tif", "palette.tif"):
        with open_image(tmp_path / name) as source:
            assert_reads(source, read_image(tmp_path / name))
    with open_image(tmp_path / "white.tif") as source:
        np.testing.assert_array_equal(source.read(0, 0, 60, 70), 255 - image)


def test_jpeg_tiles(tmp_path: Path) -> None:
    image = np.add.outer(np.arange(96), np.arange(128)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, tile=(32, 32), compression="jpeg")
    with open_image(tmp_path / "a.tif") as source:
        assert_reads(source, read_image(tmp_path / "a.tif"))


def test_twelve_bits_that_are_packed(tmp_path: Path) -> None:
    image = noise((20, 30), "uint16") >> 4
    pairs = image.reshape(20, -1, 2).astype(np.uint32)
    packed = np.stack([pairs[..., 0] >> 4, (pairs[..., 0] & 15) << 4 | pairs[..., 1] >> 8, pairs[..., 1] & 255], -1)
    tifffile.imwrite(tmp_path / "a.tif", packed.astype(np.uint8).reshape(20, 45), metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        tiff.pages[0].tags["ImageWidth"].overwrite(30)
        tiff.pages[0].tags["BitsPerSample"].overwrite(12)
    with open_image(tmp_path / "a.tif") as source:
        assert_reads(source, image)


def test_a_pyramid_gives_its_largest_level_and_its_pixel_size(tmp_path: Path) -> None:
    image = noise((256, 320), "uint16")
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        sizes = {"PhysicalSizeX": 4.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.005, "PhysicalSizeYUnit": "µm"}
        writer.write(image, subifds=1, tile=(64, 64), metadata={"axes": "YX", **sizes})
        writer.write(image[::2, ::2], subfiletype=1, tile=(64, 64))
    with open_image(tmp_path / "a.ome.tif") as source:
        assert_reads(source, image)
        assert source.pixel_size_nm == pytest.approx((5.0, 4.5))
        assert source.pixel_size_nm == pytest.approx((5, 4.5))


@pytest.mark.parametrize("options", [{"compression": "zlib"}, {"imagej": True}, {"ome": True}])
def test_pages(tmp_path: Path, options: dict[str, Any]) -> None:
    stack = noise((5, 40, 50))
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", **options)
    with pytest.raises(UserError, match=r"a\.tif: it holds 5 images.* --page 0 to 4"):
        open_image(tmp_path / "a.tif")
    for page in (0, 3):
        with open_image(tmp_path / "a.tif", page=page) as source:
            assert_reads(source, stack[page])
            assert f"page {page}" in source.describe()
    with pytest.raises(UserError, match="no page 5"):
        open_image(tmp_path / "a.tif", page=5)


def test_blocks_are_told_and_shared_by_neighbouring_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((256, 256)), tile=(64, 32), compression="zlib")
    with open_image(tmp_path / "a.tif") as source:
        assert source.block == (64, 32)
        decoded = []
        original = SegmentedTiff._segment
        monkeypatch.setattr(SegmentedTiff, "_segment", lambda self, i: decoded.append(i) or original(self, i))
        for left in range(0, 200, 10):
            source.read(0, left, 64, 20)
        assert sorted(decoded) == sorted(set(decoded))


def test_empty_tiles_are_the_value_of_no_data(tmp_path: Path) -> None:
    image = noise((64, 64))
    tifffile.imwrite(tmp_path / "a.tif", image, tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        counts = list(tiff.pages[0].databytecounts)
        tiff.pages[0].tags["TileByteCounts"].overwrite([0, *counts[1:]])
    image[:32, :32] = 0
    with open_image(tmp_path / "a.tif") as source:
        assert_reads(source, image)


def test_threads_read_the_same(tmp_path: Path) -> None:
    image = noise((300, 300), "uint16")
    tifffile.imwrite(tmp_path / "a.tif", image, tile=(16, 16), compression="zlib")
    places = list(windows(image.shape, 100))
    with open_image(tmp_path / "a.tif") as source, ThreadPoolExecutor(8) as pool:
        for (top, left, height, width), window in zip(places, pool.map(lambda p: source.read(*p), places), strict=True):
            np.testing.assert_array_equal(window, image[top : top + height, left : left + width])


@pytest.mark.parametrize("layout", ["one uncompressed strip", "deflate tiles", "uncompressed tiles"])
def test_truncated_files_are_refused(tmp_path: Path, layout: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((101, 131)), **LAYOUTS[layout])
    data = (tmp_path / "a.tif").read_bytes()
    for kept in (len(data) - 1, len(data) // 2, 100, 9, 4):
        (tmp_path / "cut.tif").write_bytes(data[:kept])
        with pytest.raises(UserError, match=r"cut\.tif: .*truncated"):
            open_image(tmp_path / "cut.tif")


def test_a_damaged_tile_is_told_with_its_region_and_the_others_are_read(tmp_path: Path) -> None:
    image = noise((64, 96))
    tifffile.imwrite(tmp_path / "a.tif", image, tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        offset = tiff.pages[0].dataoffsets[4]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[offset : offset + 40] = b"\xff" * 40
    (tmp_path / "a.tif").write_bytes(bytes(data))
    with open_image(tmp_path / "a.tif") as source:
        with pytest.raises(UserError, match=r"a\.tif: .*damaged in the region x 30 to 39, y 32 to 35"):
            source.read(32, 30, 4, 10)
        np.testing.assert_array_equal(source.read(0, 0, 32, 96), image[:32])


@pytest.mark.parametrize("options", [{}, {**TILED, "compression": "zlib"}])
def test_a_file_that_lies_about_its_size_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise((64, 64)), **options)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        tiff.pages[0].tags["ImageLength"].overwrite(60_000)
    with pytest.raises(UserError, match=r"a\.tif: "):
        open_image(tmp_path / "a.tif").read(50_000, 0, 1, 1)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (noise((8, 9)).astype(np.complex64), {}, "type is complex64"),
        (noise((8, 9, 5)), {"planarconfig": "contig"}, "5 channels"),
        (noise((8, 9, 4)), {"photometric": "separated"}, "colour space"),
    ],
)
def test_other_pixels_are_refused(tmp_path: Path, image: np.ndarray, options: dict[str, Any], message: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", image, **options)
    with pytest.raises(UserError, match=message):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint32", "int32", "float16", "float64"])
@pytest.mark.parametrize("options", [{}, {**TILED, "compression": "zlib"}])
def test_other_numbers_are_read_as_float(tmp_path: Path, dtype: str, options: dict[str, Any]) -> None:
    """As `read_image` does, by which models are trained."""
    image = (noise((64, 64)).astype(np.int32) - 100).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", image, **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), image.astype(np.float32))
    with open_image(tmp_path / "a.tif") as source:
        assert_reads(source, image.astype(np.float32))


def overwritten(path: Path, tag: str, value: Any, **options: Any) -> Path:
    tifffile.imwrite(path, noise((64, 64)), **options)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags[tag].overwrite(value)
    return path


@pytest.mark.parametrize(
    ("tag", "value", "message"),
    [
        ("StripByteCounts", 100, "take 4096 bytes, but its tiles or strips hold 100"),
        ("ImageWidth", 4000, "take 256000 bytes, but its tiles or strips hold 4096"),
        ("SamplesPerPixel", 3, "do not match"),
        ("StripOffsets", 0, "overlap the header"),
        ("StripOffsets", 1 << 30, "truncated"),
    ],
)
def test_sizes_that_contradict_each_other_make_no_pixels(tmp_path: Path, tag: str, value: int, message: str) -> None:
    path = overwritten(tmp_path / "a.tif", tag, value)
    with path.open("ab") as file:
        file.write(bytes(1 << 20))  # what would be taken for pixels
    with pytest.raises(UserError, match=message):
        open_image(path)


def test_a_file_of_no_pixels_is_refused_and_a_size_that_was_left_open_is_not(tmp_path: Path) -> None:
    tiles = overwritten(tmp_path / "a.tif", "TileByteCounts", [0] * 4, tile=(32, 32), compression="zlib")
    with pytest.raises(UserError, match="stores no pixels"):
        open_image(tiles)
    with open_image(overwritten(tmp_path / "b.tif", "StripByteCounts", 0)) as source:
        assert_reads(source, noise((64, 64)))


def test_one_large_strip_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(whole, "LARGEST_SINGLE_BLOCK", 1000)
    monkeypatch.setattr(whole, "_LITTLE", 1000)
    monkeypatch.setattr(whole, "MOST_IN_MEMORY", 1000)
    image = noise((101, 131), "uint16")
    tifffile.imwrite(tmp_path / "a.tif", image, compression="zlib", rowsperstrip=101)
    with caplog.at_level("INFO", logger="vlsenet"), open_image(tmp_path / "a.tif", spill_dir=tmp_path / "s") as source:
        assert source.decoded_whole
        assert isinstance(source, RawSource)
        assert_reads(source, image)
    assert "must be decoded as a whole" in caplog.text
    assert len(list((tmp_path / "s").iterdir())) == 1


@pytest.mark.parametrize("compressed", [True, False])
def test_memory_does_not_grow_with_the_scan(tmp_path: Path, compressed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "CACHE_BYTES", 1 << 20)  # full in both scans
    tile = noise((512, 512))
    encoded = zlib.compress(tile) if compressed else tile.tobytes()
    peaks = {}
    for side in (8192, 2048, 8192):  # the first turn is for what measures coverage, which rewrites the code as it runs
        data = (encoded for _ in range((side // 512) ** 2))
        layout = {"tile": (512, 512), "compression": "zlib" if compressed else None}
        tifffile.imwrite(tmp_path / f"{side}.tif", data, shape=(side, side), dtype=np.uint8, **layout)
        with open_image(tmp_path / f"{side}.tif") as source:
            tracemalloc.start()
            for top in range(0, side, 1024):
                for left in range(0, side, 1024):
                    source.read(top, left, 700, 700)
            peaks[side] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert peaks[8192] < 1.1 * peaks[2048]
    assert peaks[8192] < 4 << 20  # cache, window, two blocks; the scan has 64 MiB


def test_the_image_of_a_file_of_one_is_read_from_the_file_that_was_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    class Counted(tifffile.TiffFile):
        def __init__(self, *args: Any, **options: Any) -> None:
            opened.append(self)
            super().__init__(*args, **options)

    pixels = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    tifffile.imwrite(tmp_path / "a.tif", pixels, compression="zlib")
    monkeypatch.setattr(tifffile, "TiffFile", Counted)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), pixels)
    assert len(opened) == 1
    assert opened[0].filehandle.closed
