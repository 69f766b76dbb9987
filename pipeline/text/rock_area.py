"""The part of a micrograph that shows rock, without info bar and frame."""

from __future__ import annotations

import numpy as np

#: A line of pixels in which one value takes more than this share is drawn by the microscope, not seen by it: even a
#: saturated micrograph has noise, and the background of an info bar has none.
_DRAWN = 0.5


def rock_area(image: np.ndarray) -> tuple[slice, slice]:
    """Leave out the rows and columns at the borders of an image that hold one value for the most part.

    An info bar and a frame are such; the lines of a bar that its text fills are not, and end the search only where
    ten of them follow each other.

    Args:
        image: (H, W), any real type.

    Returns:
        The rows and the columns that are left; all of them where none would be.
    """
    rows = _inner(image)
    columns = _inner(image[rows].T)
    return rows, columns


def _inner(lines: np.ndarray) -> slice:
    """The lines (L, P) without those at both ends that are drawn; all where none would be left."""
    first = _drawn_lines(lines)
    last = _drawn_lines(lines[::-1])
    return slice(first, len(lines) - last) if first + last < len(lines) else slice(0, len(lines))


def _drawn_lines(lines: np.ndarray, patience: int = 10) -> int:
    """How many lines at the beginning are drawn, up to `patience` others between them."""
    drawn = 0
    for number, line in enumerate(lines):
        if number - drawn >= patience:
            break
        _, counts = np.unique(line, return_counts=True)
        if counts.max() > _DRAWN * line.size:
            drawn = number + 1
    return drawn
