"""The coarser levels of the output, each made from the one below; and coarse pictures of a scan."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pipeline.engine.store import MASK, ScanStore
from pipeline.images import ImageSource


def build_pyramid(
    store: ScanStore,
    rank: int = 0,
    ranks: int = 1,
    *,
    threads: int = 1,
    barrier: Callable[[], object] | None = None,
) -> None:
    """Write every level above 0, when all chunks of level 0 are there; chunks that are there already stay.

    Killed and called again, it resumes: a chunk on the disk is complete, and was made from a finished level. Several
    processes share the chunks of each level and wait for each other between levels. Each thread holds eight chunks.

    Args:
        store: with level 0 finished.
        rank: number of this process.
        ranks: number of processes.
        threads: that work on a level.
        barrier: returns when all processes have called it; needed with more than one.

    Raises:
        UserError: a chunk below is missing or damaged, or the disk is full or refuses.
    """
    if ranks > 1 and barrier is None:
        raise ValueError("several processes need a barrier between levels")
    for level in range(1, len(store.shapes)):
        depth, rows, columns = store.grid(level)
        total = depth * rows * columns
        mine = range(total * rank // ranks, total * (rank + 1) // ranks)
        places = ((index // (rows * columns), index // columns % rows, index % columns) for index in mine)
        # the list of what is to do holds three numbers a chunk, no pixels
        to_do = [at for at in places if not store.has(level, at)]
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(lambda at, level=level: _write_coarser(store, level, at), to_do):
                pass
        if barrier is not None:
            barrier()


def halve_probability(pixels: np.ndarray) -> np.ndarray:
    """Mean of 2 x 2 pixels, (H, W) uint8 to (ceil(H/2), ceil(W/2)); halves are rounded to even.

    Rounding them up would brighten each level by an eighth of a grey level on average.
    """
    total = _sum_of_four(pixels)
    return ((total + 1 + (total >> 2 & 1)) >> 2).astype(np.uint8)


def halve_mask(pixels: np.ndarray) -> np.ndarray:
    """255 where at least 2 of 2 x 2 pixels are pore, (H, W) to (ceil(H/2), ceil(W/2)), else 0.

    That is the mode, ties going to pore, so that a thin pore is still seen from afar. Measure no areas here.
    """
    return (_sum_of_four(pixels) >= 2 * 255).astype(np.uint8) * np.uint8(255)


def halve_codes(pixels: np.ndarray) -> np.ndarray:
    """The code that most of 2 x 2 pixels of a label image have, (H, W) to (ceil(H/2), ceil(W/2)).

    Of equally many, it is a phase rather than none, so that a thin one is still seen from afar, and then the lower
    number. For one phase it is `halve_mask`. A mean would make codes of other phases; every second pixel alone would
    thin the phases at random. Measure no areas here.
    """
    height, width = pixels.shape
    even = np.pad(pixels, ((0, height % 2), (0, width % 2)), mode="edge")
    four = np.stack([even[::2, ::2], even[1::2, ::2], even[::2, 1::2], even[1::2, 1::2]]).astype(np.uint16)
    votes = sum((four == one).astype(np.uint16) for one in four)
    # the votes first, then phase or none, then the number: the largest rank wins
    rank = (votes << 9) | ((four > 0).astype(np.uint16) << 8) | (255 - four)
    return (255 - (rank.max(axis=0) & 255)).astype(np.uint8)


def _sum_of_four(pixels: np.ndarray) -> np.ndarray:
    """Sums of 2 x 2 pixels; an odd last row or column counts twice, which leaves means as they are."""
    height, width = pixels.shape
    even = np.pad(pixels, ((0, height % 2), (0, width % 2)), mode="edge").astype(np.uint16)
    return even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]


def _write_coarser(store: ScanStore, level: int, at: tuple[int, int, int]) -> None:
    slice_, *corner = at
    side = 2 * store.plan.chunk
    rows, columns = (slice(place * side, (place + 1) * side) for place in corner)
    of_mask = halve_codes if store.labelled else halve_mask
    for channel in store.channels:
        halve = of_mask if channel == MASK else halve_probability
        store.write(level, channel, at, halve(store.read_area(level - 1, channel, slice_, rows, columns)))


def level_within(store: ScanStore, side: int) -> int:
    """The finest level whose longer side is at most `side` pixels; the coarsest where none is."""
    return next((i for i, shape in enumerate(store.shapes) if max(shape[1:]) <= side), len(store.shapes) - 1)


def coarse_scan(source: ImageSource, store: ScanStore, level: int) -> np.ndarray:
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
