"""One number for the size of a pixel, which files tell as height and width."""

from __future__ import annotations

import math

from pipeline.microscope.finding import same


def mean_side(pixel_size_nm: tuple[float, float]) -> float:
    """Side (nm) of the square that is as large as a pixel, from its height and width (nm)."""
    return math.sqrt(pixel_size_nm[0] * pixel_size_nm[1])


def square_side(pixel_size_nm: tuple[float, float] | None) -> float | None:
    """Side of a square pixel (nm), from its height and width (nm), for perimeters, hulls and other shapes.

    Returns:
        None where they are not known, or differ by more than rounding, 1 %.
    """
    return None if pixel_size_nm is None or not same(*pixel_size_nm) else mean_side(pixel_size_nm)
