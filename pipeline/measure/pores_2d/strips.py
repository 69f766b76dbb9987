"""A segmentation as strips of rows, each with the rows around it that the measurements need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from pipeline.engine import ScanStore
from pipeline.engine.store import MASK, PROBABILITY
from pipeline.images.rectangles import Rows

#: rows above and below a strip: whether a neighbour lies at a pore's border depends on the neighbour's neighbours
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


class Segmentation(Protocol):
    """Mask and probability of one or more slices, read in bands of rows."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows and columns of the segmented region (px)."""

    @property
    def origin(self) -> tuple[int, int]:
        """x and y of the region in the scan (px)."""

    def bands(self, slice_: int) -> Iterator[Band]:
        """Bands of any height, from top to bottom; together they are the slice."""


class StoredSegmentation:
    """The finished segmentation of a scan; a row of chunks is in memory at a time.

    Args:
        store: with all its chunks.
        rows: rows of the scan that are imaged; None: all. A pore at the info bar beside them touches the border.
    """

    def __init__(self, store: ScanStore, rows: Rows | None = None) -> None:
        self._store = store
        whole = store.plan.region
        part = whole if rows is None else rows.within(whole)
        self._skipped = part.y - whole.y
        self.origin = part.x, part.y
        self.shape = store.plan.depth, part.height, part.width

    def bands(self, slice_: int) -> Iterator[Band]:
        """A band for each row of chunks.

        Raises:
            UserError: a chunk is missing or damaged.
        """
        side = self._store.plan.chunk
        end = self._skipped + self.shape[1]
        for top in range(self._skipped // side * side, end, side):
            rows = slice(max(top, self._skipped), min(top + side, end))
            yield self._store.read_area(0, MASK, slice_, rows), self._store.read_area(0, PROBABILITY, slice_, rows)
