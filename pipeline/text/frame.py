"""The frame that a program draws around a micrograph."""

from __future__ import annotations

import numpy as np

#: A line of pixels in which one value takes more than this share is drawn, not seen by a microscope: even a saturated
#: micrograph has noise.
_DRAWN = 0.5


def inside_frame(image: np.ndarray) -> tuple[slice, slice]:
    """Leave out the rows and columns at the borders of an image that hold one value for the most part.

    Args:
        image: (H, W), any real type, without an info bar.

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


def _drawn_lines(lines: np.ndarray) -> int:
    """How many lines at the beginning are drawn."""
    for number, line in enumerate(lines):
        _, counts = np.unique(line, return_counts=True)
        if counts.max() <= _DRAWN * line.size:
            return number
    return len(lines)
