"""Lengths and areas in the unit that suits them, and numbers as text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MISSING = "–"
_NARROW_SPACE = "\u202f"
#: lengths below this are given in nanometres (nm)
_SMALL_NM = 500.0
#: areas below this are given in square nanometres (nm²)
_SMALL_NM2 = 1e4


@dataclass(frozen=True)
class Scale:
    """Turns pixels into the unit of the report.

    Attributes:
        unit: of lengths: px, nm or µm.
        per_px: that unit for each pixel.
    """

    unit: str
    per_px: float

    @classmethod
    def fitting(cls, pixel_size_nm: float | None, typical_px: float) -> Scale:
        """Pixels where their size is not known; else nanometres or micrometres, as a typical length suits.

        Args:
            pixel_size_nm: nanometres, or None.
            typical_px: the length by which the unit is chosen, px; NaN where there is none.
        """
        if pixel_size_nm is None:
            return cls("px", 1.0)
        if typical_px * pixel_size_nm < _SMALL_NM:
            return cls("nm", pixel_size_nm)
        return cls("µm", pixel_size_nm / 1000)

    def area(self, typical_px: float) -> tuple[str, float]:
        """The unit of areas, and how much of it a pixel is.

        Args:
            typical_px: the area by which the unit is chosen, px².
        """
        if self.unit == "nm" and typical_px * self.per_px**2 >= _SMALL_NM2:
            return "µm²", self.per_px**2 / 1e6
        return f"{self.unit}²", self.per_px**2

    def lengths(self, pixels: np.ndarray) -> np.ndarray:
        """Lengths in the unit."""
        return np.asarray(pixels, np.float64) * self.per_px


def length_text(pixels: float, pixel_size_nm: float | None) -> str:
    """A length with the unit that keeps it readable."""
    if pixel_size_nm is None:
        return with_unit(number(pixels), "px")
    return _in_units(pixels * pixel_size_nm, (1e6, 1e6, "mm"), (1000, 1000, "µm"), (0, 1, "nm"))


def area_text(pixels: float, pixel_size_nm: float | None) -> str:
    """An area with the unit that keeps it readable."""
    if pixel_size_nm is None:
        return _in_units(pixels, (1e6, 1e6, "megapixels"), (0, 1, "px²"))
    square_um = pixels * (pixel_size_nm / 1000) ** 2
    return _in_units(square_um, (1e5, 1e6, "mm²"), (0.1, 1, "µm²"), (0, 1e-6, "nm²"))


def volume_text(voxels: float, pixel_size_nm: float | None, slice_spacing_nm: float | None) -> str:
    """A volume with the unit that keeps it readable; in voxels where a side of them is not known."""
    if pixel_size_nm is None or slice_spacing_nm is None:
        return _in_units(voxels, (1e6, 1e6, "million voxels"), (0, 1, "voxels"))
    return _in_units(voxels * pixel_size_nm**2 * slice_spacing_nm / 1e9, (1e8, 1e9, "mm³"), (0, 1, "µm³"))


def _in_units(value: float, *units: tuple[float, float, str]) -> str:
    """A value in the first unit (from which value on it is used, its size, its name) that suits; else in the last."""
    size, unit = next(((size, unit) for least, size, unit in units if value >= least), units[-1][1:])
    return with_unit(number(value / size), unit)


def with_unit(text: str, unit: str) -> str:
    """A number and its unit, never parted by a line break; the unit is left out where there is no number."""
    return text if text == MISSING or not unit else f"{text}\u00a0{unit}"


def number(value: float, digits: int = 3) -> str:
    """A number to some significant digits, without an exponent, thousands parted; a dash where it is not finite."""
    value = float(value)
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    value = float(f"{value:.{digits - 1}e}")  # 9.999 has one digit less behind the point once it is rounded
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}".replace(",", _NARROW_SPACE).replace("-", "−")


def whole(value: float) -> str:
    """A count, thousands parted."""
    return f"{int(value):,}".replace(",", _NARROW_SPACE)


def percent_range(low: float, high: float) -> str:
    """Two shares in percent, the upper one with as many decimals as the lower, or as it needs where that is 0."""
    lower = number(100 * low, 3)
    decimals = len((lower if low else number(100 * high, 3)).partition(".")[2])
    return f"{lower} to {with_unit(f'{100 * high:.{decimals}f}', '%')}"


def percent(share: float, digits: int = 3) -> str:
    """A share in percent."""
    return with_unit(number(100 * share, digits), "%")
