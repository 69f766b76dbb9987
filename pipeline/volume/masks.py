"""The mask of a slice, from the store, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.scan.output import ScanStore

_MASK = 0
#: of a part; some ten bytes for each are in memory
_PIXELS = 1 << 22


def mask_parts(store: ScanStore, slice_: int) -> Iterator[tuple[int, np.ndarray]]:
    """First row of each part of a slice, from top to bottom, and its mask (h, W), boolean.

    A row of chunks is in memory at a time.

    Raises:
        UserError: a chunk is missing or damaged.
    """
    _, rows, columns = store.plan.grid
    step = max(1, _PIXELS // store.plan.shape[2])
    for row in range(rows):
        band = np.concatenate([store.read(0, _MASK, (slice_, row, column)) for column in range(columns)], axis=1)
        for top in range(0, len(band), step):
            yield row * store.plan.chunk + top, band[top : top + step] != 0
