"""A slice in strips of rows, with the rows around them that the perimeter needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

#: rows above and below a strip: whether a neighbour lies at a pore's border is told by the neighbour's neighbours
CONTEXT = 2
#: of a strip; some ten bytes for each are in memory
_PIXELS = 1 << 21

#: mask (h, W), not 0 in pores, and probability (h, W), uint8, 0 to 255 for 0 to 1
Band = tuple[np.ndarray, np.ndarray]


class Strip(NamedTuple):
    """Some rows of a slice.

    Attributes:
        top: first row in the slice.
        mask: (h + 2 * `CONTEXT`, W + 2), boolean, C-contiguous; False in the first and last column and outside the
            slice.
        probability: (h, W), uint8.
    """

    top: int
    mask: np.ndarray
    probability: np.ndarray


def strips(bands: Iterable[Band], width: int) -> Iterator[Strip]:
    """Cut bands of any height, from top to bottom, into strips; together they are the slice.

    Args:
        bands: of one slice.
        width: of the slice (px).
    """
    top = 0
    mask = np.zeros((CONTEXT, width + 2), bool)
    probability = np.zeros((0, width), np.uint8)
    for piece, piece_probability in _pieces(bands, width):
        padded = np.zeros((len(piece), width + 2), bool)
        np.not_equal(piece, 0, out=padded[:, 1:-1])
        mask = np.concatenate([mask, padded])
        probability = np.concatenate([probability, piece_probability])
        rows = len(mask) - 2 * CONTEXT
        if rows > 0:
            yield Strip(top, mask, probability[:rows])
            top += rows
            mask, probability = mask[rows:], probability[rows:]


def _pieces(bands: Iterable[Band], width: int) -> Iterator[Band]:
    rows = max(1, _PIXELS // width)
    for mask, probability in bands:
        for first in range(0, len(mask), rows):
            yield mask[first : first + rows], probability[first : first + rows]
    # what lies below the slice, so that its last rows have their context
    yield np.zeros((CONTEXT, width), bool), np.zeros((CONTEXT, width), np.uint8)
