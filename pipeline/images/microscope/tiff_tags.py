"""The places in a TIFF that may say how its image was taken, with Gatan's tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import tifffile

from pipeline.images.microscope import fei, standard, tescan, zeiss
from pipeline.images.microscope.findings import Finding
from pipeline.images.microscope.quantities import plain_text
from pipeline.images.microscope.side_files import text_of
from pipeline.images.tiff_structure import TiffImages, images_of, page_of

#: along x and y
UNIT_TAGS = (65003, 65004)
SIZE_TAGS = (65009, 65010)


def from_tags(unit_x: Any, unit_y: Any, size_x: Any, size_y: Any) -> Finding:
    """From the values of `UNIT_TAGS` and `SIZE_TAGS`; images that were not calibrated have no unit."""
    finding = Finding("Gatan tags")
    units = [plain_text(unit) for unit in (unit_y, unit_x)]
    if any(unit and unit.lower() not in ("pixel", "pixels", "px") for unit in units):
        finding.take_pixel_size(*(f"{size} {unit}" for size, unit in zip((size_y, size_x), units, strict=True)))
    return finding


#: of a tag's value (bytes)
_MOST_STORED = 16 << 20

Adapter = tuple[str, Callable[[], Finding | None]]


def tiff_adapters(path: Path, image: int) -> tuple[list[Adapter], list[Adapter], tuple[int, int]]:
    """What reads the tags of one image of a TIFF.

    Args:
        path: the file.
        image: which of its images, from 0.

    Returns:
        The adapters of makers' own tags, those of what anybody writes, and the image's height and width (px).
    """
    with tifffile.TiffFile(path) as tiff:
        page, series, images = _page(tiff, path, image)
        shape = int(page.imagelength), int(page.imagewidth)
        own: list[Adapter] = []
        for tag in fei.TAGS:
            value = _value(tiff, page, tag)
            if value is not None and fei.xml_in(_stored(tiff, page, tag)) is None:
                metadata = value if isinstance(value, Mapping) else {}
                own.append(("Thermo Fisher tag", partial(fei.from_tag, metadata, shape)))
                break
        for tag in (*fei.TAGS, fei.XML_TAG):
            if (text := fei.xml_in(_stored(tiff, page, tag))) is not None:
                own.append(("Thermo Fisher XML", partial(fei.from_xml, text, shape)))
                break
        value = _value(tiff, page, zeiss.TAG)
        if value is not None:
            metadata = value if isinstance(value, Mapping) else {}
            own.append(("ZEISS tag", partial(zeiss.from_tag, metadata, shape)))
        value = _value(tiff, page, zeiss.XML_TAG)
        if value is not None:
            own.append(("ZEISS Atlas XML", partial(zeiss.from_fibics, _text(value), shape)))
        value = _value(tiff, page, tescan.TAG)
        if value is not None:
            own.append(("TESCAN tag", partial(_tescan, tescan.text_in(_bytes(value)), shape)))
        if page.tags.get(UNIT_TAGS[0]) is not None:
            scales = [_value(tiff, page, tag) for tag in (*UNIT_TAGS, *SIZE_TAGS)]
            own.append(("Gatan tags", partial(from_tags, *scales)))

        others: list[Adapter] = []
        xml = tiff.ome_metadata if images is None else images.ome
        if xml is not None:
            others.append(("OME-XML", partial(standard.from_ome, xml, series)))
        scaled = page
        if _resolution(page) is None and (tiff.pages.first.imagelength, tiff.pages.first.imagewidth) == shape:
            scaled = tiff.pages.first  # some writers give it once for all
        resolution = _resolution(scaled)
        imagej = tiff.imagej_metadata
        if imagej is not None:
            others.append(("ImageJ", partial(standard.from_imagej, imagej, resolution)))
        unit = int(getattr(scaled, "resolutionunit", 1) or 1)
        others.append(("TIFF resolution tags", partial(standard.from_resolution, resolution, unit)))
    return own, others, shape


def _page(tiff: tifffile.TiffFile, path: Path, image: int) -> tuple[tifffile.TiffPage, int, TiffImages | None]:
    """The page of an image, the number of its series in the OME-XML, and all images."""
    try:
        images = images_of(path)
        one = images.images[image]
        if one.page_at is not None:
            return page_of(tiff, one)[1], one.series, images
    except Exception:  # its first page may be fine where others are damaged
        if image:
            raise
    return tiff.pages.first, 0, None


def _value(tiff: tifffile.TiffFile, page: tifffile.TiffPage, code: int) -> Any:
    """A tag's value; that of the first page where the image's own has none. None where it is missing or empty."""
    for place in (page, tiff.pages.first):
        tag = place.tags.get(code)
        if tag is not None:
            try:
                return tag.value if tag.count else None
            except Exception:  # tifffile answers damaged tags with errors of every type
                return ""  # it is there, and broken
    return None


def _stored(tiff: tifffile.TiffFile, page: tifffile.TiffPage, code: int) -> bytes:
    """A tag's value as it is stored, not parsed; that of the first page where the image's own has none."""
    tag = page.tags.get(code) or tiff.pages.first.tags.get(code)
    if tag is None:
        return b""
    tiff.filehandle.seek(tag.valueoffset)
    stored: bytes = tiff.filehandle.read(min(tag.valuebytecount, _MOST_STORED))
    return stored


def _bytes(value: Any) -> bytes:
    if isinstance(value, (bytes, tuple, list)):
        try:
            return bytes(value)
        except (TypeError, ValueError):
            return b""
    return str(value).encode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else text_of(_bytes(value))


def _tescan(text: str, shape: tuple[int, int]) -> Finding:
    finding = tescan.from_text(text, "TESCAN tag", shape)
    if finding is None:
        finding = Finding("TESCAN tag")
        finding.warn_if_without_size()
    return finding


def _resolution(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Pixels for each unit along y and x."""
    values = []
    for code in (283, 282):
        tag = page.tags.get(code)
        value = None if tag is None else tag.value
        if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
            return None
        values.append(value[0] / value[1])
    return values[0], values[1]
