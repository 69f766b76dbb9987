"""Neighbouring slices of a stack taken together, as they show nearly the same rock."""

from __future__ import annotations

import numpy as np


def slab_thickness(side: int, spacing: float, depth: int) -> int:
    """Slices that a slab as thick as it is wide takes, at least one and at most all.

    Args:
        side: of the slab, pixels.
        spacing: distance of slices over the side of a pixel.
        depth: slices of the stack.
    """
    return int(np.clip(round(side / spacing), 1, depth))


def slab_sums(counts: np.ndarray, thickness: int) -> np.ndarray:
    """Sums of counts (slices, rows, columns) over slabs of so many slices; the last may hold fewer."""
    return np.add.reduceat(counts, np.arange(0, len(counts), thickness), axis=0)
