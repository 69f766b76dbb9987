"""Pixel sizes as the standard fields of OME-Zarr and NIfTI tell them, in nm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

PixelSize = tuple[float, float]

_NM = {
    "pm": 1e-3, "picometer": 1e-3,
    "Å": 0.1, "angstrom": 0.1,
    "nm": 1.0, "nanometer": 1.0,
    "µm": 1e3, "μm": 1e3, "um": 1e3, "micrometer": 1e3, "micron": 1e3,
    "mm": 1e6, "millimeter": 1e6,
    "cm": 1e7, "centimeter": 1e7,
    "m": 1e9, "meter": 1e9,
    "fm": 1e-6, "femtometer": 1e-6,
    "inch": 2.54e7, "in": 2.54e7,
}  # fmt: skip

#: the sign for micro in code pages of East Asia (932, 936, 949, 950) and DOS (437), read as Latin-1
_MICRO = ("\x83Ê", "¦Ì", "¥ì", "£g", "æ")


def nm_per(unit: str) -> float | None:
    """How many nm a unit of length has; None where it is not known.

    Case, a plural and British spelling don't matter, nor that Unicode has two signs for micro and that UTF-8 read as
    Latin-1 has another letter before it, as other code pages have other letters; ImageJ writes the sign as an escape.
    """
    if unit in _NM:
        return _NM[unit]
    unit = unit.strip().strip("[]().").replace("\\u00B5", "u").replace("Â", "").replace("metre", "meter")
    for sign in ("µ", "μ", *_MICRO):
        unit = unit.replace(sign, "u")
    unit = unit.lower()
    return _NM.get(unit) or _NM.get(unit.removesuffix("s"))


def in_nm(height: float, width: float, units: tuple[str | None, str | None]) -> PixelSize | None:
    """Pixel height and width in nm; None where a unit is missing or unknown, or a size is not positive."""
    factors = [nm_per(unit or "") for unit in units]
    if factors[0] is None or factors[1] is None:
        return None
    sizes = float(height) * factors[0], float(width) * factors[1]
    return sizes if all(math.isfinite(size) and size > 0 for size in sizes) else None


def from_multiscale(multiscale: Mapping[str, Any]) -> PixelSize | None:
    """From one entry of OME-Zarr's `multiscales`, for its first (largest) image."""
    scale = _scale(multiscale)
    if scale is None:
        return None
    axes = multiscale["axes"]
    return in_nm(scale[-2], scale[-1], (axes[-2].get("unit"), axes[-1].get("unit")))


def _scale(multiscale: Mapping[str, Any]) -> list[float] | None:
    """Size of a pixel along each axis, each in its unit; None where nothing tells it."""
    axes = multiscale.get("axes") or []
    if len(axes) < 2 or not all(isinstance(axis, Mapping) for axis in axes):
        return None  # before version 0.4 there were no units
    scale = [1.0] * len(axes)
    transforms = [*multiscale["datasets"][0].get("coordinateTransformations", [])]
    if not any(transform.get("type") == "scale" for transform in transforms):
        return None
    for transform in [*transforms, *multiscale.get("coordinateTransformations", [])]:
        factors = transform.get("scale")
        if transform.get("type") == "scale" and isinstance(factors, Sequence) and len(factors) == len(axes):
            scale = [a * float(b) for a, b in zip(scale, factors, strict=True)]
    return scale


def spacing_from_multiscale(multiscale: Mapping[str, Any]) -> float | None:
    """Distance of slices (nm) along an axis z, from one entry of OME-Zarr's `multiscales`, for its first image."""
    scale = _scale(multiscale)
    if scale is None:
        return None
    sizes = {axis.get("name"): (size, axis.get("unit")) for axis, size in zip(multiscale["axes"], scale, strict=True)}
    size, unit = sizes.get("z", (0.0, None))
    found = in_nm(size, size, (unit, unit))
    return None if found is None else found[0]


def from_nifti(zooms: Sequence[float], unit: str) -> PixelSize | None:
    """From NIfTI's voxel sizes (x, y, ...) and unit; 1 mm is what writers put in that know nothing of it."""
    if unit == "mm" and zooms[0] == zooms[1] == 1:
        return None
    return in_nm(zooms[1], zooms[0], (unit, unit))
