"""ZEISS: named parameters in tag 34118 (SmartSEM), XML in tag 51023 (Atlas, by Fibics)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.microscope.finding import Finding
from pipeline.microscope.xml_tree import first, parsed, text_at

TAG = 34118
XML_TAG = 51023


def from_tag(metadata: Mapping[str, Any], shape: tuple[int, int]) -> Finding:
    """From tifffile's `sem_metadata`, where a parameter is a tuple of its label, value and unit."""
    finding = Finding("ZEISS tag")
    size = _value(metadata, "ap_image_pixel_size") or _value(metadata, "ap_pixel_size")
    finding.take_pixel_size(size, size)
    if size is None:
        unnamed = metadata.get("")  # older files: the fourth unnamed number, in m
        if isinstance(unnamed, tuple) and len(unnamed) > 3:
            finding.take_pixel_size(unnamed[3], unnamed[3], "m")
    if finding.pixel_size_nm is None and not finding.warnings:
        finding.warn("it has no pixel size")
    store = _value(metadata, "dp_image_store")
    finding.take_image_width(store, shape[1])
    finding.take_field_width(_value(metadata, "ap_width"), shape[1])
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


def from_fibics(text: str) -> Finding:
    """From the XML of ZEISS Atlas."""
    finding = Finding("ZEISS Atlas XML")
    root = parsed(text)
    if root is None:
        finding.warn("it is broken")
        return finding
    scan = first(root, "Scan")
    if scan is not None:
        width, height = (_length(first(scan, name)) for name in ("Ux", "Vy"))
        finding.take_pixel_size(height, width, "um")
    finding.take_conditions(
        voltage=text_at(root, "BeamVoltage"),
        working_distance=_length(first(root, "WD")),
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


def _length(element: Any) -> str | None:
    if element is None or not element.text:
        return None
    # the mosaic's axes may point down or left
    unit = element.get("units") or element.get("unit") or ""
    return f"{element.text.strip().lstrip('-')} {unit}"
