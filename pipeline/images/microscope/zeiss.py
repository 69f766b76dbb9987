"""ZEISS: named parameters in tag 34118 (SmartSEM), XML in tag 51023 (Atlas, by Fibics)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.images.microscope.findings import Finding
from pipeline.images.microscope.quantities import length_nm, quantity
from pipeline.images.microscope.side_files import first, parsed, text_at, with_unit

TAG = 34118
XML_TAG = 51023
_DISPLAY_WIDTH = 1024


def from_tag(metadata: Mapping[str, Any], shape: tuple[int, int]) -> Finding:
    """From tifffile's `sem_metadata`, where a parameter is a tuple of its label, value and unit."""
    finding = Finding("ZEISS tag")
    size, width, store = (_value(metadata, name) for name in ("ap_image_pixel_size", "ap_width", "dp_image_store"))
    finding.take_pixel_size(size, size)
    if size is None:
        recorded = quantity(store)
        finding.take_field_as_size(width, int(recorded[0]) if recorded else shape[1])
        if finding.pixel_size_nm is None and not finding.warnings:
            _take_display_pixel(finding, metadata, shape[1])
    finding.warn_if_without_size()
    columns, _, rows = (store or "").partition("*")
    finding.take_recorded_size(rows, columns, shape)
    finding.take_field_width(width, shape[1])
    serial = _value(metadata, "sv_serial_number")
    finding.take_conditions(
        magnification_=_value(metadata, "ap_mag"),
        voltage=_value(metadata, "ap_actualkv") or _value(metadata, "ap_manualkv"),
        voltage_unit=1e3,
        working_distance=_value(metadata, "ap_wd"),
        working_distance_unit="mm",
        detector=_value(metadata, "dp_detector_channel") or _value(metadata, "dp_detector_type"),
        date=f"{_value(metadata, 'ap_date') or ''} {_value(metadata, 'ap_time') or ''}",
        instrument=f"ZEISS {serial or ''}",
    )
    return finding


def _take_display_pixel(finding: Finding, metadata: Mapping[str, Any], columns: int) -> None:
    """Older files: a pixel size that may be, or is, that of a display of 1024 pixels, whatever the image's width."""
    size = _value(metadata, "ap_pixel_size")
    unnamed = metadata.get("")  # the fourth unnamed number is that of the display, in m
    by_display = length_nm(unnamed[3], "m") if isinstance(unnamed, tuple) and len(unnamed) > 3 else length_nm(size)
    by_display = None if by_display is None else by_display * _DISPLAY_WIDTH / columns
    if size is not None:
        finding.take_pixel_size(size, size)
    elif by_display is not None:
        finding.take_pixel_size(by_display, by_display, "nm")
    if finding.pixel_size_nm is not None and by_display is not None and columns != _DISPLAY_WIDTH:
        finding.warn(
            f"it gives neither an image pixel size nor a field of view; {finding.pixel_size_nm[1]:.5g} nm is used, but "
            f"a display of {_DISPLAY_WIDTH} pixels would give {by_display:.5g} nm; check against the scale bar"
        )


def from_fibics(text: str, shape: tuple[int, int] | None = None) -> Finding:
    """From the XML of ZEISS Atlas, for an image of height and width `shape` (px)."""
    finding = Finding("ZEISS Atlas XML")
    root = parsed(text)
    if root is None:
        finding.warn("it is broken")
        return finding
    scan = first(root, "Scan")
    if scan is not None:
        # the steps of a pixel along the image's x (U) and y (V) on the stage, towards which a scan may be rotated
        finding.take_pixel_size(_step(scan, "V"), _step(scan, "U"), "nm")
        if shape is not None:  # a length may be negative, as the mosaic's axes may point down or left
            image = first(root, "Image")
            rows, width = (None if image is None else text_at(image, side) for side in ("Height", "Width"))
            finding.take_recorded_size(rows, width, shape)
            columns = quantity(width)
            finding.take_field_width(
                (with_unit(first(scan, "FOV_X")) or "").lstrip("-"), int(columns[0]) if columns else shape[1], "um"
            )
    finding.take_conditions(
        voltage=text_at(root, "BeamVoltage"),
        working_distance=(with_unit(first(root, "WD")) or "").lstrip("-"),
        working_distance_unit="mm",
        detector=text_at(root, "Detector"),
        date=text_at(root, "Date"),
        instrument=f"ZEISS {text_at(root, 'Machine') or 'Atlas'}",
    )
    return finding


def _value(metadata: Mapping[str, Any], name: str) -> str | None:
    entry = metadata.get(name)
    if not isinstance(entry, tuple) or len(entry) < 2:
        return None
    return " ".join(str(part) for part in entry[1:]).strip() or None


def _step(scan: Any, axis: str) -> float | None:
    steps = [length_nm(with_unit(first(scan, axis + part)), "um") for part in "xy"]
    known = [step for step in steps if step is not None]
    return math.hypot(*known) if known else None
