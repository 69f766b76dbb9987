"""The perimeter as a count of pixels of three kinds, which adds up over pieces of a pore."""

from __future__ import annotations

import numpy as np

from pipeline.pores.strips import CONTEXT

#: length that a pixel of each kind (1, 2, 3) stands for, px
LENGTHS = np.array([1.0, np.sqrt(2), (1 + np.sqrt(2)) / 2])

#: kind by 1 + 2 * (neighbours at edges) + 10 * (neighbours at corners) that lie on the border, for a border pixel
_KINDS = np.zeros(50, np.uint8)
_KINDS[[5, 7, 15, 17, 25, 27]] = 1
_KINDS[[21, 33]] = 2
_KINDS[[13, 23]] = 3


def border_kinds(mask: np.ndarray) -> np.ndarray:
    """Kind of each pixel of a strip's mask: 0, or 1 to 3 where it adds one of `LENGTHS` to its pore's perimeter.

    A pixel lies on the border if one of its four neighbours is no pore. How many border pixels touch it at edges and
    at corners tells in which pattern of the contour it stands, and so the length that it adds.

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
    beside = np.zeros_like(border)
    np.add(border[:-2], border[2:], out=beside[1:-1])
    code = around(beside, -across) + around(beside, across)
    code *= 5
    code += around(beside, 0)
    code += around(border, -across)
    code += around(border, across)
    code *= 2
    code += 1
    code *= around(border, 0)
    return _KINDS[code].reshape(len(mask) - 2 * CONTEXT, across)
