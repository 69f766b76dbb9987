"""One pass over the mask of a scan, from which all statistics of pixels are taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.engine import ScanStore
from pipeline.engine.store import MASK, PROBABILITY
from pipeline.measure.pore_statistics.chords import ChordCounter, Chords
from pipeline.measure.pore_statistics.two_point import TwoPoint, TwoPointCounter, lags_up_to
from pipeline.tiling.chunk_plan import ChunkPlan

#: side of the cells in which pores are counted, px: finer than the blocks of the journal, for small scans
_CELL = 32
#: most pixels that are read; some 6 s for each 100 million on one core
MOST_PIXELS = 1 << 30
_LONGEST_LAG = 1024


@dataclass(frozen=True)
class Survey:
    """What was counted on the pixels of a scan.

    Attributes:
        two_point_x: S2 along x.
        two_point_y: S2 along y.
        chords_x: chords along x.
        chords_y: chords along y.
        pore: pore pixels in each cell, (slices, rows, columns); None where only a part of the scan was read.
        rock: rock pixels in each cell, likewise.
        cell: side of a cell, px.
        probabilities: rock pixels of each 8-bit probability, (256,).
        pixels: rock pixels that were read.
        share: of the scan's rows of chunks that was read.
    """

    two_point_x: TwoPoint
    two_point_y: TwoPoint
    chords_x: Chords
    chords_y: Chords
    pore: np.ndarray | None
    rock: np.ndarray | None
    cell: int
    probabilities: np.ndarray
    pixels: int
    share: float


def survey(store: ScanStore, rock: np.ndarray, most_pixels: int = MOST_PIXELS) -> Survey:
    """Two-point correlation and chords along x and y, cell counts and probabilities, exact over what is read.

    Everything is counted within blocks that are all rock: pairs and chords that reach out of them don't count, or
    count as cut. A few chunks are in memory at a time, and one number for each row and column.

    A scan of more than `most_pixels` is sampled: rows of chunks, evenly spread, each over the full width. Chords
    along y then end at the borders of the rows.

    Args:
        store: the segmentation.
        rock: rock pixels of each block of the plan, (slices, rows, columns) (`block_counts`).
        most_pixels: that are read.
    """
    plan = store.plan
    depth, height, width = plan.shape
    full = rock == _block_areas(plan)
    bands = [(slice_, row) for slice_ in range(depth) for row in range(plan.grid[1])]
    chosen = _spread(bands, max(1, most_pixels // (width * min(plan.chunk, height))))
    whole = len(chosen) == len(bands)
    lags = [lags_up_to(min(_LONGEST_LAG, plan.chunk, side // 2)) for side in (width, height)]
    pairs_x, pairs_y = TwoPointCounter(lags[0], axis=1), TwoPointCounter(lags[1], axis=0)
    along_x, along_y = ChordCounter(min(plan.chunk, height)), ChordCounter(width)
    side = _CELL if plan.block % _CELL == 0 else plan.block
    cells = np.zeros((2, depth, -(-height // side), -(-width // side)), np.int64)
    probabilities = np.zeros(256, np.int64)
    before: tuple[int, int] | None = None
    for slice_, row in chosen:
        if before != (slice_, row - 1):
            along_y.stop()
        before = slice_, row
        for left in range(0, width, plan.chunk):
            top = row * plan.chunk
            rows, columns = slice(top, min(top + plan.chunk, height)), slice(left, min(left + plan.chunk, width))
            high, wide = rows.stop - top, columns.stop - left
            part = _read(store, full, slice_, rows, columns)
            # with as much of the next chunk as a pair of points reaches
            to_right = slice(left, min(columns.stop + int(lags[0][-1]), width))
            to_below = slice(top, min(rows.stop + int(lags[1][-1]), height))
            pairs_x.add(*_read(store, full, slice_, rows, to_right), wide)
            pairs_y.add(*_read(store, full, slice_, to_below, columns), high)
            along_x.add(part.pore, part.rock, slice(0, high))
            along_y.add(*part.turned, columns)
            levels = store.read(0, PROBABILITY, (slice_, row, left // plan.chunk))
            probabilities += np.bincount(levels[part.is_rock], minlength=256)
            at = slice_, slice(top // side, -(-rows.stop // side)), slice(left // side, -(-columns.stop // side))
            for kind, pixels in enumerate((part.pore & part.is_rock, part.is_rock)):
                cells[kind][at] = _count(pixels, side)
        along_x.stop()
    along_y.stop()
    return Survey(
        pairs_x.result(),
        pairs_y.result(),
        along_x.result(),
        along_y.result(),
        cells[0] if whole else None,
        cells[1] if whole else None,
        side,
        probabilities,
        int(probabilities.sum()),
        len(chosen) / len(bands),
    )


def _block_areas(plan: ChunkPlan) -> np.ndarray:
    """Pixels of each block of a slice, (rows, columns)."""
    _, height, width = plan.shape
    sides = [np.diff([*range(0, side, plan.block), side]) for side in (height, width)]
    return np.outer(*sides)


def _spread(bands: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    if len(bands) <= most:
        return bands
    return [bands[int((place + 0.5) * len(bands) / most)] for place in range(most)]


class _Part(NamedTuple):
    """Pixels of a mask: pores (H, W), and where there is rock (H, W), or None where it is all rock; boolean."""

    pore: np.ndarray
    rock: np.ndarray | None

    @property
    def is_rock(self) -> np.ndarray:
        return np.ones(self.pore.shape, bool) if self.rock is None else self.rock

    @property
    def turned(self) -> _Part:
        """Columns as rows."""
        rock = None if self.rock is None else np.ascontiguousarray(self.rock.T)
        return _Part(np.ascontiguousarray(self.pore.T), rock)


def _read(store: ScanStore, full: np.ndarray, slice_: int, rows: slice, columns: slice) -> _Part:
    """Any rectangle of the mask whose upper left corner is that of a block.

    Args:
        store: the segmentation.
        full: whether a block is all rock, (slices, rows, columns).
        slice_: number of the slice.
        rows: start and stop (px).
        columns: likewise.
    """
    pore = store.read_area(0, MASK, slice_, rows, columns) > 0
    block = store.plan.block
    down, across = (slice(side.start // block, -(-side.stop // block)) for side in (rows, columns))
    there = full[slice_, down, across]
    if there.all():
        return _Part(pore, None)
    rock = there.repeat(block, axis=0).repeat(block, axis=1)
    return _Part(pore, rock[: pore.shape[0], : pore.shape[1]])


def _count(pixels: np.ndarray, side: int) -> np.ndarray:
    rows = np.add.reduceat(pixels, np.arange(0, pixels.shape[0], side), axis=0, dtype=np.int64)
    return np.add.reduceat(rows, np.arange(0, pixels.shape[1], side), axis=1)
