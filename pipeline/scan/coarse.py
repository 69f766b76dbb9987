"""Coarse pictures of a scan and of its segmentation, small enough to be looked at."""

from __future__ import annotations

import numpy as np

from pipeline.scan.output import ScanStore
from pipeline.scan.sources import ScanSource


def level_within(store: ScanStore, side: int) -> int:
    """The finest level whose longer side is at most `side` pixels; the coarsest where none is."""
    return next((i for i, shape in enumerate(store.shapes) if max(shape[1:]) <= side), len(store.shapes) - 1)


def coarse_channel(store: ScanStore, level: int, channel: int, slice_: int = 0) -> np.ndarray:
    """One channel of a slice at a level of the pyramid, (H, W), uint8; the level must fit into memory."""
    _, rows, columns = store.grid(level)
    chunks = [[store.read(level, channel, (slice_, row, column)) for column in range(columns)] for row in range(rows)]
    return np.block(chunks)


def coarse_scan(source: ScanSource, store: ScanStore, level: int) -> np.ndarray:
    """The segmented region of the scan at the size of a level, (H, W), float32; the edge is repeated.

    A pixel is the mean of 2**level x 2**level pixels, like in the pyramid. Read a chunk at a time.
    """
    factor = 2**level
    x, y, width, height = store.plan.region
    step = -(-store.plan.chunk // factor) * factor
    rows = []
    for top in range(0, height, step):
        parts = []
        for left in range(0, width, step):
            part = source.read(y + top, x + left, min(step, height - top), min(step, width - left))
            edges = [(0, -side % factor) for side in part.shape]
            part = np.pad(part.astype(np.float32), edges, mode="edge")
            high, wide = (side // factor for side in part.shape)
            # row by row first, which is several times as fast as both at once
            parts.append(part.reshape(high, factor, -1).mean(1).reshape(high, wide, factor).mean(2))
        rows.append(np.concatenate(parts, axis=1))
    return np.concatenate(rows)
