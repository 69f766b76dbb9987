"""A segmentation in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.measure.pores_2d.strips import Band


class ArraySegmentation:
    """An image whose segmentation fits into memory.

    Args:
        mask: (H, W), not 0 in pores.
        probability: of pore (H, W), uint8, 0 to 255 for 0 to 1.
        band: rows that are handed out at once.
    """

    origin = (0, 0)

    def __init__(self, mask: np.ndarray, probability: np.ndarray, band: int = 1024) -> None:
        self._mask, self._probability, self._band = mask, probability, band
        self.shape = (1, *mask.shape)

    def bands(self, slice_: int) -> Iterator[Band]:
        """Bands of the one slice, 0."""
        for first in range(0, self.shape[1], self._band):
            rows = slice(first, first + self._band)
            yield self._mask[rows], self._probability[rows]
