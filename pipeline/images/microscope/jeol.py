"""JEOL: a side file (.txt) whose keys start with $; the pixel size is that of the scale bar, or stated."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pipeline.images.microscope.findings import Finding, same
from pipeline.images.microscope.quantities import length_nm, magnification, quantity
from pipeline.images.microscope.side_files import pairs_of

_QUANTITY = re.compile(r"[+-]?[0-9][0-9.,]{0,20}(?:[eE][+-]?[0-9]{1,3})?\s{0,3}[^\s0-9]{0,12}")

#: width of the picture that JEOL's magnification refers to
_PICTURE_NM = 128e6


def from_text(text: str, shape: tuple[int, int] | None) -> Finding | None:
    """From the side file's text, for an image of height and width `shape` (px); None where it is not JEOL's.

    Newer instruments state the pixel size or the field of view. Others give the scale bar's length twice, as a length
    and in whole pixels, so that a pixel size is as exact as one pixel in the bar's length, mostly 1 %. Where one of the
    two is missing, the magnification gives it.
    """
    pairs = {key.lstrip("$"): value for key, value in pairs_of(text, (" ",)).items() if key.startswith("$")}
    if not any(key.startswith(("CM_", "SM_")) for key in pairs):
        return None
    finding = Finding("JEOL side file")
    sizes = _parts(pairs.get("CM_FULL_SIZE") or pairs.get("CM_IMAGE_SIZE"))
    _take_size(finding, pairs, sizes)
    if len(sizes) == 2:
        finding.take_recorded_size(sizes[1], sizes[0], shape)
    finding.take_conditions(
        magnification_=pairs.get("CM_MAG"),
        voltage=pairs.get("CM_ACCEL_VOLT"),
        voltage_unit=1e3,
        working_distance=pairs.get("SM_WD"),
        working_distance_unit="mm",
        detector=pairs.get("CM_SIGNAL") or pairs.get("CM_DETECTOR_NAME") or pairs.get("SM_DETECTOR"),
        date=f"{pairs.get('CM_DATE', '')} {pairs.get('CM_TIME', '')}",
        instrument=f"JEOL {pairs.get('CM_INSTRUMENT', '').removeprefix('JEOL')}",
    )
    return finding


def _take_size(finding: Finding, pairs: Mapping[str, str], sizes: list[str]) -> None:
    stated, field = _parts(pairs.get("CM_PIXEL_SIZE")), _parts(pairs.get("CM_FIELD_OF_VIEW"))
    bar, marker = quantity(pairs.get("SM_MICRON_BAR")), pairs.get("SM_MICRON_MARKER")
    length = length_nm(_once(marker), "um")
    by_bar = None if bar is None or bar[0] <= 0 or length is None or length <= 0 else length / bar[0]
    if stated and length_nm(stated[0]) is not None:  # a bare number may be nm or um
        finding.take_pixel_size(stated[-1], stated[0])
    elif field and len(sizes) == 2 and all(quantity(size) for size in sizes):
        columns, rows = (float((quantity(size) or (0, ""))[0]) for size in sizes)
        width, height = length_nm(field[0], "um"), length_nm(field[-1], "um")
        if width is not None and height is not None and min(columns, rows) > 0:
            one = len(field) == 1
            finding.take_pixel_size(width / columns if one else height / rows, width / columns, "nm")
    taken = finding.pixel_size_nm
    if taken is not None:
        # the bar is as exact as one pixel of its length
        if by_bar and bar and not same(taken[1], by_bar) and abs(taken[1] - by_bar) > 1.5 / bar[0] * by_bar:
            finding.warn(
                f"its pixel size is {taken[1]:.5g} nm, but {by_bar:.5g} nm by its scale bar; the former is used"
            )
    elif finding.warnings:
        return
    elif by_bar is not None:
        finding.take_pixel_size(by_bar, by_bar, "nm")
    else:
        there = [marker or "", f"{pairs['SM_MICRON_BAR']} px" if "SM_MICRON_BAR" in pairs else ""]
        said = ", ".join(filter(None, there))
        lack = f"its scale bar ({said}) gives no pixel size" if said else "it has no scale bar, so no pixel size"
        times, recorded = magnification(pairs.get("CM_MAG")), quantity(sizes[0]) if sizes else None
        if not times or times <= 0 or recorded is None or recorded[0] < 1:
            finding.warn(lack)
            return
        size = _PICTURE_NM / times / recorded[0]
        finding.take_pixel_size(size, size, "nm")
        if finding.pixel_size_nm is None:  # of which a warning tells
            return
        finding.warn(
            f"{lack}; by its magnification ({times:g}) of a picture 128 mm wide it is {size:.4g} nm, which is used; "
            "check it against the scale bar"
        )


def _once(text: str | None) -> str | None:
    """A length whose unit may stand twice, as in `1umum` or `1um um`, with its unit once."""
    found = quantity(text)
    if found is None:
        return None
    unit = found[1].replace(" ", "")
    half = unit[: len(unit) // 2]
    return f"{found[0]:.10g} {half if half and unit == half + half and len(half) > 1 else unit}"


def _parts(text: str | None) -> list[str]:
    """The one or two quantities of a value, each with its unit, as in `80.0um 60.0um` or `1280 960`."""
    return [part.strip(" x,") for part in _QUANTITY.findall((text or "")[:200])][:2]
