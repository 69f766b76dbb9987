"""Pixels of a chunk counted in blocks: what the journal keeps, and porosity is measured from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class BlockCounts(NamedTuple):
    """Pixels of a chunk, counted in blocks.

    Attributes:
        pore: pore pixels of each block, (rows, columns); of a label image of K phases
            (K, rows, columns).
        rock: pixels of each block that show rock, its pores included, (rows, columns).
    """

    pore: np.ndarray
    rock: np.ndarray

    def of_phase(self, number: int) -> BlockCounts:
        """Those of the phase with this number, from 1, of a label image."""
        return BlockCounts(self.pore[number - 1], self.rock)


def count_blocks(pixels: np.ndarray, block: int) -> np.ndarray:
    """True pixels of (H, W) in each block of the given side, (rows, columns); the last may be smaller."""
    rows, columns = (range(0, length, block) for length in pixels.shape)
    # 20 times as fast as a sum of booleans
    return np.array([[np.count_nonzero(pixels[y : y + block, x : x + block]) for x in columns] for y in rows])
