"""Small stacks on disk, and what a library says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from pipeline.engine import ScanStore, build_pyramid
from pipeline.images.rectangles import Roi
from pipeline.tiling.chunk_plan import ChunkPlan

#: all 26 neighbours
TOUCHING = np.ones((3, 3, 3), bool)


def stored(path: Path, mask: np.ndarray, roi: Roi | None = None, chunk: int = 16) -> ScanStore:
    """A finished store of a mask (D, H, W), with its pyramid; a mask of the region where there is one."""
    depth, height, width = mask.shape
    # the scan goes on a little around the region
    scan = (height, width) if roi is None else (roi.y + height + 3, roi.x + width + 2)
    plan = ChunkPlan(*scan, depth=depth, chunk=chunk, block=16, roi=roi)
    store = ScanStore.create(path / "s.ome.zarr", plan, "request")
    for index in range(len(plan)):
        part = plan[index]
        cut = mask[part.slice, part.y : part.y + part.height, part.x : part.x + part.width]
        store.write_chunk(index, cut[None].astype(np.float32), [0.5])
    build_pyramid(store)
    return store


class MemoryStore:
    """A mask (D, H, W) that looks like a store of one level to what reads from it; much faster."""

    def __init__(self, mask: np.ndarray, chunk: int = 16, roi: Roi | None = None) -> None:
        depth, height, width = mask.shape
        scan = (height, width) if roi is None else (roi.y + height + 3, roi.x + width + 2)
        self.plan = ChunkPlan(*scan, depth=depth, chunk=chunk, block=16, roi=roi)
        self.shapes = [mask.shape]
        self._mask = mask

    def grid(self, level: int) -> tuple[int, int, int]:
        return self.plan.grid

    def read(self, level: int, channel: int, at: tuple[int, int, int]) -> np.ndarray:
        assert (level, channel) == (0, 0)
        slice_, row, column = at
        side = self.plan.chunk
        part = self._mask[slice_, row * side : (row + 1) * side, column * side : (column + 1) * side]
        return part.astype(np.uint8) * 255

    read_area, area_of, bands = ScanStore.read_area, ScanStore.area_of, ScanStore.bands


def library_labels(mask: np.ndarray) -> np.ndarray:
    """Labels (D, H, W), by first voxel in scan order: SciPy's, numbered anew."""
    labels, count = ndimage.label(mask, TOUCHING)
    values, first = np.unique(labels.ravel(), return_index=True)
    order = np.argsort(first[values > 0])
    number = np.zeros(count + 1, np.int32)
    number[values[values > 0][order]] = np.arange(1, count + 1)
    return number[labels]
