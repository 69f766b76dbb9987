"""Area, centroid, axes and perimeter from sums over pixels, which add up exactly over the pieces of a pore."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.measure.pores_2d.strips import CONTEXT

#: the columns of sums over the pixels of a pore: their number, row, column, row², row x column, column² (both from the
#: pore's upper left corner), probability (0 to 255), and number of pixels of the three kinds on the border
AREA, ROW, COLUMN, ROW_ROW, ROW_COLUMN, COLUMN_COLUMN, PROBABILITY, KINDS = range(8)
SUMS = KINDS + 3

#: products of sums below this fit into 64 bits
_SAFE = 2.0**61


class Ellipse(NamedTuple):
    """The ellipse with a pore's second moments.

    Attributes:
        major: long axis (px).
        minor: short axis (px).
        orientation: of the long axis to the x axis, counter-clockwise on the screen, in (-90, 90] degrees; NaN where
            no axis is the longer one.
    """

    major: np.ndarray
    minor: np.ndarray
    orientation: np.ndarray


def moved(sums: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Sums of pixels that lie `rows` and `columns` farther from the corner.

    Args:
        sums: (N, `SUMS`), Python's integers, which have no upper limit.
        rows: (N,).
        columns: (N,).
    """
    result = sums.copy()
    down, right = rows.astype(object), columns.astype(object)
    area, row, column = sums[:, AREA], sums[:, ROW], sums[:, COLUMN]
    result[:, ROW] += down * area
    result[:, COLUMN] += right * area
    result[:, ROW_ROW] += 2 * down * row + down * down * area
    result[:, ROW_COLUMN] += down * column + right * row + down * right * area
    result[:, COLUMN_COLUMN] += 2 * right * column + right * right * area
    return result


def ellipses(sums: np.ndarray) -> Ellipse:
    """From sums (N, `SUMS`), as 64-bit or Python's integers.

    With variances v_x, v_y and covariance c of the pixels' centres, x to the right and y upwards, the axes are

        4 sqrt((v_x + v_y ± sqrt((v_x - v_y)² + 4 c²)) / 2),    tan 2 theta = 2 c / (v_x - v_y),

    as in `skimage.measure.regionprops` (there the orientation is the angle from the row axis, smaller by 90 degrees).
    The short axis comes from the determinant, as a difference of nearly equal axes would lose the digits of a long thin
    pore; the sums are whole numbers, and so is what the determinant is made of.
    """
    v_x, v_y, c, determinant = _variances(sums)
    area = sums[:, AREA].astype(np.float64)
    spread = np.hypot(v_x - v_y, 2 * c)
    larger = (v_x + v_y + spread) / 2
    smaller = np.divide(determinant, larger, out=np.zeros_like(larger), where=larger > 0)
    orientation = np.where(spread > 0, np.degrees(np.arctan2(2 * c, v_x - v_y)) / 2, np.nan)
    return Ellipse(4 * np.sqrt(larger) / area, 4 * np.sqrt(smaller) / area, orientation)


def centroid(sums: np.ndarray, corner: np.ndarray, axis: int) -> np.ndarray:
    """Mean row or column (px).

    Args:
        sums: (N, `SUMS`).
        corner: the row or column from which the sums count (N,).
        axis: `ROW` or `COLUMN`.
    """
    whole, rest = sums[:, axis] // sums[:, AREA], sums[:, axis] % sums[:, AREA]
    return (corner + whole).astype(np.float64) + rest.astype(np.float64) / sums[:, AREA].astype(np.float64)


def _variances(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Variances along x and y and covariance (y upwards), each times the squared area, and their determinant."""
    floats = sums[:, : COLUMN_COLUMN + 1].astype(np.float64)
    largest = floats[:, AREA] * np.maximum(floats[:, ROW_ROW], floats[:, COLUMN_COLUMN])
    v_x, v_y, c = np.empty((3, len(sums)))
    for rows, kind in ((largest < _SAFE, np.int64), (largest >= _SAFE, object)):
        v_x[rows], v_y[rows], c[rows] = _exact_variances(sums[rows].astype(kind))
    determinant = v_x * v_y - c * c
    # products of numbers of 26 bits are exact; of larger ones, where little is left of them, the rounding would be seen
    inexact = (determinant < 1e-3 * v_x * v_y) & (np.maximum(v_x, v_y) > 2.0**26)
    if inexact.any():
        x, y, xy = _exact_variances(sums[inexact].astype(object))
        determinant[inexact] = x * y - xy * xy
    return v_x, v_y, c, determinant


def _exact_variances(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    area, row, column = sums[:, AREA], sums[:, ROW], sums[:, COLUMN]
    return (
        area * sums[:, COLUMN_COLUMN] - column * column,
        area * sums[:, ROW_ROW] - row * row,
        row * column - area * sums[:, ROW_COLUMN],
    )


#: length (px) that a pixel of each kind (1, 2, 3) adds to the perimeter
LENGTHS = np.array([1.0, np.sqrt(2), (1 + np.sqrt(2)) / 2])

#: kind by 1 + 2 * (neighbours at edges) + 10 * (neighbours at corners) that lie on the border, for a border pixel
_KINDS = np.zeros(50, np.uint8)
_KINDS[[5, 7, 15, 17, 25, 27]] = 1
_KINDS[[21, 33]] = 2
_KINDS[[13, 23]] = 3


def border_kinds(mask: np.ndarray) -> np.ndarray:
    """Kind of each pixel of a strip's mask: 0, or 1 to 3 where it adds one of `LENGTHS` to its pore's perimeter.

    A pixel lies on the border if one of its four neighbours is no pore. How many border pixels touch it at edges and
    at corners gives the pattern of the contour there, and so the length that it adds.

    K. Benkrid and D. Crookes, Design and FPGA implementation of a perimeter estimator (2000); the same patterns as in
    `skimage.measure.perimeter` with four neighbours. Pores that touch at corners are one pore, so that a
    neighbour that is pore belongs to the same one.

    Args:
        mask: (h + 4, W + 2) of a strip.

    Returns:
        (h, W + 2), uint8; the first and last columns don't count.
    """
    across = mask.shape[1]

    def around(flat: np.ndarray, offset: int) -> np.ndarray:
        # neighbours of all rows but the first and last; the empty columns part a row from the next
        return flat[across + offset : len(flat) - across + offset]

    flat = mask.ravel()
    inside = around(flat, -across) & around(flat, across)
    inside &= around(flat, -1)
    inside &= around(flat, 1)
    border = (around(flat, 0) > inside).view(np.uint8)
    across_row = np.zeros_like(border)
    np.add(border[:-2], border[2:], out=across_row[1:-1])
    code = around(across_row, -across) + around(across_row, across)
    code *= 5
    code += around(across_row, 0)
    code += around(border, -across)
    code += around(border, across)
    code *= 2
    code += 1
    code *= around(border, 0)
    return _KINDS[code].reshape(len(mask) - 2 * CONTEXT, across)
