"""Where the masks come from: a store on disk, or arrays."""

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
        self.origin = store.plan.region[:2]
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


class ArraySegmentation:
    """An image whose segmentation fits into memory.

    Args:
        mask: (H, W), not 0 in pores.
        probability: of pore (H, W), uint8, 0 to 255 for 0 to 1.
        origin: x and y of the first pixel in the image (px), where a part of it was segmented.
        band: rows that are handed out at once.

    Raises:
        ValueError: mask and probability differ in shape, or the probability is not uint8.
    """

    def __init__(
        self, mask: np.ndarray, probability: np.ndarray, origin: tuple[int, int] = (0, 0), band: int = 1024
    ) -> None:
        if mask.ndim != 2 or mask.shape != probability.shape or probability.dtype != np.uint8:
            raise ValueError(f"mask {mask.shape}, probability {probability.shape} {probability.dtype}")
        self._mask, self._probability, self._band = mask, probability, band
        self.shape = (1, *mask.shape)
        self.origin = origin

    def bands(self, slice_: int) -> Iterator[Band]:
        """Bands of the one slice, 0."""
        for first in range(0, self.shape[1], self._band):
            rows = slice(first, first + self._band)
            yield self._mask[rows], self._probability[rows]
