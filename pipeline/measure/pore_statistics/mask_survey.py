"""One pass over the mask of a scan, from which all statistics of pixels are taken."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from pipeline.engine import ScanStore
from pipeline.engine.store import MASK, PROBABILITY
from pipeline.measure.pore_statistics.chords import ChordCounter, Chords
from pipeline.measure.pore_statistics.two_point import TwoPoint, TwoPointCounter, lags_up_to
from pipeline.tiling.chunk_plan import ChunkPlan

#: side of the cells in which pores are counted, px: finer than the blocks of the journal, for small scans
_CELL = 32
#: most pixels that are read; some 2 s for each 100 million on one core
MOST_PIXELS = 1 << 30
_LONGEST_LAG = 1024
#: chunks of the mask in memory
_KEPT = 3


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
    bands = [(slice_, row) for slice_ in range(depth) for row in range(plan.grid[1])]
    chosen = _spread(bands, max(1, most_pixels // (width * min(plan.chunk, height))))
    counts = _Counts(store, full=rock == _block_areas(plan))
    before: tuple[int, int] | None = None
    for slice_, row in chosen:
        if before != (slice_, row - 1):
            counts.along_y.stop()
        before = slice_, row
        for left in range(0, width, plan.chunk):
            counts.add_chunk(slice_, row * plan.chunk, left)
        counts.along_x.stop()
    counts.along_y.stop()
    pore, rock_pixels = counts.cells if len(chosen) == len(bands) else (None, None)
    return Survey(
        counts.pairs_x.result(),
        counts.pairs_y.result(),
        counts.along_x.result(),
        counts.along_y.result(),
        pore,
        rock_pixels,
        counts.cell,
        counts.probabilities,
        int(counts.probabilities.sum()),
        len(chosen) / len(bands),
    )


class _Counts:
    """All that is counted, chunk by chunk.

    Args:
        store: the segmentation.
        full: whether a block is all rock, (slices, rows, columns).
    """

    def __init__(self, store: ScanStore, full: np.ndarray) -> None:
        plan = store.plan
        depth, height, width = plan.shape
        self._store, self._full = store, full
        # each is read with its neighbours, the one to the right is the next
        self._chunk = lru_cache(_KEPT)(partial(store.read, 0, MASK))
        lags_x, lags_y = (lags_up_to(min(_LONGEST_LAG, plan.chunk, side // 2)) for side in (width, height))
        #: how far a pair of points reaches (px)
        self._reach_x, self._reach_y = int(lags_x[-1]), int(lags_y[-1])
        self.pairs_x, self.pairs_y = TwoPointCounter(lags_x, axis=1), TwoPointCounter(lags_y, axis=0)
        self.along_x, self.along_y = ChordCounter(min(plan.chunk, height)), ChordCounter(width)
        self.cell = _CELL if plan.block % _CELL == 0 else plan.block
        #: pore and rock pixels
        self.cells = np.zeros((2, depth, -(-height // self.cell), -(-width // self.cell)), np.int64)
        self.probabilities = np.zeros(256, np.int64)

    def add_chunk(self, slice_: int, top: int, left: int) -> None:
        """Count the chunk with this corner; chunks of a row come from left to right."""
        plan = self._store.plan
        _, height, width = plan.shape
        rows, columns = slice(top, min(top + plan.chunk, height)), slice(left, min(left + plan.chunk, width))
        # with as much of the next chunk as a pair of points reaches
        to_right = slice(left, min(columns.stop + self._reach_x, width))
        to_below = slice(top, min(rows.stop + self._reach_y, height))
        right, below = self._read(slice_, rows, to_right), self._read(slice_, to_below, columns)
        part, turned = below.rows(rows.stop - top), right.turned  # turned once: transposing takes long
        self.pairs_x.add(*turned.transposed, columns.stop - left)
        self.pairs_y.add(*below, rows.stop - top)
        self.along_x.add(*part, slice(0, rows.stop - top))
        self.along_y.add(*turned.rows(columns.stop - left), columns)
        levels = self._store.read_area(0, PROBABILITY, slice_, rows, columns)
        self.probabilities += _histogram(levels if part.rock is None else levels[part.rock])
        down, across = (slice(side.start // self.cell, -(-side.stop // self.cell)) for side in (rows, columns))
        for kind, pixels in enumerate((part.is_pore, part.is_rock)):
            self.cells[kind, slice_, down, across] = _count(pixels, self.cell)

    def _read(self, slice_: int, rows: slice, columns: slice) -> _Part:
        """Any rectangle of the mask whose upper left corner is that of a block."""
        pore = self._store.area_of(self._chunk, 0, slice_, rows, columns) > 0
        block = self._store.plan.block
        down, across = (slice(side.start // block, -(-side.stop // block)) for side in (rows, columns))
        full = self._full[slice_, down, across]
        if full.all():
            return _Part(pore, None)
        rock = full.repeat(block, axis=0).repeat(block, axis=1)
        return _Part(pore, rock[: pore.shape[0], : pore.shape[1]])


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
    def is_pore(self) -> np.ndarray:
        """Pores in rock."""
        return self.pore if self.rock is None else self.pore & self.rock

    def rows(self, count: int) -> _Part:
        """The first rows."""
        return _Part(self.pore[:count], None if self.rock is None else self.rock[:count])

    @property
    def transposed(self) -> _Part:
        """Columns as rows, without a copy."""
        return _Part(self.pore.T, None if self.rock is None else self.rock.T)

    @property
    def turned(self) -> _Part:
        """Columns as rows, as they lie in memory too."""
        pore, rock = self.transposed
        return _Part(np.ascontiguousarray(pore), None if rock is None else np.ascontiguousarray(rock))


def _count(pixels: np.ndarray, side: int) -> np.ndarray:
    """True pixels in each cell of a side (px)."""
    kind = np.uint8 if side <= np.iinfo(np.uint8).max else np.uint32  # small numbers are added many at a time
    rows = np.add.reduceat(pixels.view(np.uint8), np.arange(0, pixels.shape[0], side), axis=0, dtype=kind)
    return np.add.reduceat(rows, np.arange(0, pixels.shape[1], side), axis=1, dtype=np.int64)


def _histogram(levels: np.ndarray) -> np.ndarray:
    """How often each of 256 levels occurs, (256,), uint8 of any shape: two at a time, which takes half as long."""
    flat = levels.ravel()
    pairs = np.bincount(flat[: len(flat) // 2 * 2].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    counts: np.ndarray = pairs.sum(0) + pairs.sum(1)
    counts[flat[len(flat) // 2 * 2 :]] += 1
    return counts
