"""Where the masks come from: a store on disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from pipeline.pores.strips import Band
from pipeline.scan.output import ScanStore


class Segmentation(Protocol):
    """Mask and probability of one or more slices, handed out in bands of rows."""

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
        rows: rows of the scan that are imaged; None: all. A pore at the info bar below them touches the border.
    """

    def __init__(self, store: ScanStore, rows: int | None = None) -> None:
        self._store = store
        depth, height, width = store.plan.shape
        self.origin = store.plan.region.x, store.plan.region.y
        self.shape = depth, height if rows is None else max(0, min(height, rows - self.origin[1])), width

    def bands(self, slice_: int) -> Iterator[Band]:
        """A band for each row of chunks.

        Raises:
            UserError: a chunk is missing or damaged.
        """
        _, rows, columns = self._store.plan.grid
        side = self._store.plan.chunk
        for row in range(min(rows, -(-self.shape[1] // side))):
            mask, probability = (
                np.concatenate([self._store.read(0, channel, (slice_, row, x)) for x in range(columns)], axis=1)
                for channel in (0, 1)
            )
            imaged = self.shape[1] - row * side
            yield mask[:imaged], probability[:imaged]
