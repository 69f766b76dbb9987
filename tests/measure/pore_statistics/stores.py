"""Segmentations of masks that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.engine import BlockCounts, ScanStore, build_pyramid
from pipeline.measure.porosity import block_counts
from pipeline.tiling.chunk_plan import ChunkPlan


def store_of(
    folder: Path,
    mask: np.ndarray,
    *,
    chunk: int = 64,
    block: int = 32,
    rock: np.ndarray | None = None,
    probability: np.ndarray | None = None,
) -> tuple[ScanStore, dict[int, BlockCounts]]:
    """A store that holds a mask (H, W) or (slices, H, W), with its pyramid, and the journal's entries."""
    mask = mask if mask.ndim == 3 else mask[None]
    depth, height, width = mask.shape
    plan = ChunkPlan(height, width, depth, chunk=chunk, block=block)
    store = ScanStore.create(folder / "segmentation.ome.zarr", plan, "request")
    entries = {}
    for index in range(len(plan)):
        at = plan[index]
        window = (slice(at.y, at.y + at.height), slice(at.x, at.x + at.width))
        grey = mask[at.slice][window].astype(np.float32) if probability is None else probability[window]
        counts = store.write_chunk(index, grey[None], [0.5], None if rock is None else rock[window])
        entries[index] = BlockCounts(*counts)
    build_pyramid(store)
    return store, entries


def rock_blocks(store: ScanStore, entries: dict[int, BlockCounts]) -> np.ndarray:
    """Rock pixels of each block."""
    return block_counts(store.plan, entries).rock
