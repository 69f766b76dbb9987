"""How an image was taken, as far as its file tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Acquisition:
    """How an image was taken; None is what its file doesn't tell.

    Attributes:
        pixel_height_nm: height of a pixel (nm).
        pixel_width_nm: width of a pixel (nm).
        magnification: times, at the size of the maker's reference display.
        detector: its name.
        voltage_kv: acceleration voltage (kV).
        working_distance_mm: working distance (mm).
        date: as the file writes it, whose order of day and month is that of the microscope's language.
        instrument: maker and model.
        bar_height: rows of the info bar at the lower border (px), where the file tells; 0: it says there is none.
        sources: for each of these that is known (`pixel_size` for the two first), the place in the file.
        warnings: what is odd or contradictory in the file, one line each.
        slice_spacing_nm: distance of the file's slices (nm), where it holds several along z and nothing else.
    """

    pixel_height_nm: float | None = None
    pixel_width_nm: float | None = None
    magnification: float | None = None
    detector: str | None = None
    voltage_kv: float | None = None
    working_distance_mm: float | None = None
    date: str | None = None
    instrument: str | None = None
    bar_height: int | None = None
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()
    slice_spacing_nm: float | None = None

    @property
    def pixel_size_nm(self) -> tuple[float, float] | None:
        """Pixel height and width (nm)."""
        if self.pixel_height_nm is None or self.pixel_width_nm is None:
            return None
        return self.pixel_height_nm, self.pixel_width_nm

    def describe(self) -> str:
        """One line for the log; the warnings are not in it."""
        parts = []
        if self.pixel_size_nm is None:
            parts.append("pixel size unknown")
        else:
            height, width = self.pixel_size_nm
            size = f"{width:.6g} nm" if f"{width:.6g}" == f"{height:.6g}" else f"{width:.6g} x {height:.6g} nm"
            parts.append(f"pixels of {size} ({self.sources.get('pixel_size', 'given')})")
        if self.magnification is not None:
            parts.append(f"magnification {self.magnification:g}")
        if self.voltage_kv is not None:
            parts.append(f"{self.voltage_kv:g} kV")
        if self.working_distance_mm is not None:
            parts.append(f"working distance {self.working_distance_mm:.4g} mm")
        if self.detector:
            parts.append(f"detector {self.detector}")
        if self.instrument:
            parts.append(self.instrument)
        if self.date:
            parts.append(self.date)
        if self.bar_height:
            parts.append(f"info bar of {self.bar_height} rows")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        names = (
            "pixel_height_nm", "pixel_width_nm", "magnification", "detector", "voltage_kv", "working_distance_mm",
            "date", "instrument", "bar_height", "slice_spacing_nm",
        )  # fmt: skip
        return {
            **{name: getattr(self, name) for name in names},
            "sources": dict(self.sources),
            "warnings": list(self.warnings),
        }
