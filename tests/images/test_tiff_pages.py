"""TIFFs of pages that differ: in encoding, tables, palette and size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, TiffImagePlugin

from pipeline.errors import UserError
from pipeline.images import open_image, open_stack
from pipeline.images import tiff_structure as tiff_images
from tests.images.cases import assert_reads, noise

PAGES = noise((6, 40, 50))


def write(path: Path, options: list[dict[str, Any]], pages: np.ndarray = PAGES) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for page, one in zip(pages, options, strict=True):
            writer.write(page, metadata=None, **one)
    return path


def assert_in_order(path: Path, pages: np.ndarray | list[np.ndarray]) -> None:
    stack = open_stack(path)
    assert len(stack) == len(pages)
    for number, page in enumerate(pages):
        for source in (stack[number], open_image(path, page=number)):
            with source:
                assert_reads(source, page)


def test_pages_keep_their_order_whatever_their_encoding(tmp_path: Path) -> None:
    encodings: list[dict[str, Any]] = [{}, {"compression": "zlib"}]
    assert_in_order(write(tmp_path / "a.tif", encodings * 3), PAGES)
    many = noise((12, 40, 50))
    other = [{"compression": "lzw"} if number == 4 else {} for number in range(12)]
    assert_in_order(write(tmp_path / "b.tif", other, many), many)  # where tifffile looks at the pages 0, 1, 7 and 11


def test_pages_of_other_sizes_keep_their_order_and_pixel_size(tmp_path: Path) -> None:
    pages = [noise((40 + number % 2, 50), seed=number) for number in range(4)]
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(pages):
            scale = 1e7 / (4 + number)  # 4, 5, 6, 7 nm
            writer.write(page, metadata=None, resolution=(scale, scale), resolutionunit="CENTIMETER")
    assert_in_order(path, pages)
    sizes = [open_image(path, page=number).pixel_size_nm for number in range(4)]
    assert sizes == [pytest.approx((4 + number, 4 + number), rel=1e-3) for number in range(4)]


def test_thumbnails_and_levels_between_pages_are_no_images(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(PAGES):
            writer.write(page, metadata=None, compression="zlib" if number % 2 else None)
            writer.write(page[::2, ::2], metadata=None, subfiletype=1)
    assert_in_order(path, PAGES)
    with tifffile.TiffWriter(tmp_path / "b.tif") as writer:
        for page in PAGES:
            writer.write(page, metadata=None, subifds=1)
            writer.write(page[::2, ::2], metadata=None, subfiletype=1)
    assert_in_order(tmp_path / "b.tif", PAGES)


def test_each_page_has_its_own_palette(tmp_path: Path) -> None:
    pages = [Image.fromarray(page).convert("RGB").quantize(40 + number) for number, page in enumerate(PAGES)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert_in_order(tmp_path / "a.tif", [np.asarray(page.convert("RGB"))[..., 0] for page in pages])


def test_each_page_has_its_own_jpeg_tables(tmp_path: Path) -> None:
    smooth = [np.add.outer(np.arange(64), np.arange(96) * number % 97).astype(np.uint8) for number in range(1, 4)]
    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "a.tif"), True) as file:
        for page, quality in zip(smooth, (95, 30, 60), strict=True):
            Image.fromarray(page).save(file, format="TIFF", compression="jpeg", quality=quality)
            file.newFrame()
    with Image.open(io.BytesIO((tmp_path / "a.tif").read_bytes())) as image:
        expected = []
        for number in range(3):
            image.seek(number)
            expected.append(np.asarray(image).copy())
    assert_in_order(tmp_path / "a.tif", expected)


@pytest.mark.parametrize("options", [{"metadata": None}, {"contiguous": False}, {"compression": "zlib"}])
def test_the_pages_of_a_stack_are_parsed_once(
    tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = noise((40, 8, 8))
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pages:
            writer.write(page, **options)
    parsed = []
    original = tifffile.TiffPage.__init__
    monkeypatch.setattr(
        tifffile.TiffPage, "__init__", lambda self, *args, **more: parsed.append(1) or original(self, *args, **more)
    )
    for source, page in zip(open_stack(tmp_path / "a.tif"), pages, strict=True):
        with source:
            np.testing.assert_array_equal(source.read(0, 0, 8, 8), page)
    assert len(parsed) < 6 * len(pages)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_that_lead_back_are_damage(tmp_path: Path, compression: str | None) -> None:
    path = write(tmp_path / "a.tif", [{}, {"compression": compression}, {}], PAGES[:3])
    with tifffile.TiffFile(path) as tiff:
        last = tiff.pages[2]
        at, first = last.offset + 2 + 12 * len(last.tags), tiff.pages[0].offset
    data = bytearray(path.read_bytes())
    assert data[at : at + 4] == bytes(4)
    data[at : at + 4] = first.to_bytes(4, "little")
    path.write_bytes(bytes(data))
    for opens in (open_image, open_stack):
        with pytest.raises(UserError, match=r"a\.tif: it is truncated or damaged \(page 3 is one of those before it\)"):
            opens(path)


def test_a_changed_file_is_parsed_again(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", [{}] * 6)
    assert len(open_stack(path)) == 6
    tiff_images.images_of(path)
    write(path, [{"compression": "zlib"}] * 2, PAGES[:2])
    assert_in_order(path, PAGES[:2])
