"""Gatan DigitalMicrograph: the unit and the size of a pixel along each axis, in tags of their own."""

from __future__ import annotations

from typing import Any

from pipeline.microscope.finding import Finding
from pipeline.microscope.quantities import plain_text

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
