"""The size of a voxel."""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.errors import UserError


class Voxel(NamedTuple):
    """Sides of a voxel (nm): of its square pixel, and from slice to slice."""

    pixel_nm: float
    slice_nm: float

    @classmethod
    def known(cls, pixel_size_nm: float | None, slice_spacing_nm: float | None) -> Voxel | None:
        """The voxel where both sides are known, else None.

        Raises:
            UserError: a side is not above 0.
        """
        for name, side in (("pixel_size_nm", pixel_size_nm), ("slice_spacing_nm", slice_spacing_nm)):
            if side is not None and not (math.isfinite(side) and side > 0):
                raise UserError(f"{name} {side:g}: give a length in nm, above 0")
        return None if pixel_size_nm is None or slice_spacing_nm is None else cls(pixel_size_nm, slice_spacing_nm)

    @property
    def um3(self) -> float:
        """Volume (cubic micrometres)."""
        return self.pixel_nm**2 * self.slice_nm / 1e9
