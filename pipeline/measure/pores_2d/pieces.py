"""What is known of pores, or of parts of them, while a slice is followed from top to bottom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.measure.pixel_runs import PlacedRuns, RunConnector, Runs, find_runs
from pipeline.measure.pores_2d.hulls import Chains, hulls, joined
from pipeline.measure.pores_2d.moments import (
    AREA,
    COLUMN,
    COLUMN_COLUMN,
    KINDS,
    PROBABILITY,
    ROW,
    ROW_COLUMN,
    ROW_ROW,
    SUMS,
    border_kinds,
    moved,
)
from pipeline.measure.pores_2d.strips import CONTEXT, Strip


@dataclass(frozen=True)
class Pieces:
    """N pores or parts of pores of a slice; rows and columns count in the segmented region (px).

    Attributes:
        sums: (N, `SUMS`), counted from the corner; 64-bit integers, or Python's where parts have been put together.
        top: first row (N,).
        left: first column (N,).
        bottom: last row (N,).
        right: last column (N,).
        first: place of the first pixel, row by row (N,).
        outline: chains of the N, of pixels' centres: every row, or the vertices of the hull alone.
    """

    sums: np.ndarray
    top: np.ndarray
    left: np.ndarray
    bottom: np.ndarray
    right: np.ndarray
    first: np.ndarray
    outline: Chains

    @classmethod
    def none(cls) -> Pieces:
        """No pores."""
        nothing = np.zeros(0, np.int64)
        chains = Chains(nothing, nothing, nothing)
        return cls(np.zeros((0, SUMS), np.int64), nothing, nothing, nothing, nothing, nothing, chains)

    def __len__(self) -> int:
        return len(self.sums)

    @property
    def area(self) -> np.ndarray:
        """Pixels of each (N,)."""
        return self.sums[:, AREA].astype(np.int64)

    def take(self, keep: np.ndarray) -> Pieces:
        """Those that `keep` (boolean, (N,)) picks."""
        top, left, bottom, right = self.top[keep], self.left[keep], self.bottom[keep], self.right[keep]
        return Pieces(self.sums[keep], top, left, bottom, right, self.first[keep], self.outline.of_pores(keep))


def pieces_of(strip: Strip, runs: Runs, component: np.ndarray) -> tuple[Pieces, np.ndarray]:
    """Measure the parts of pores in a strip.

    Args:
        strip: mask and probability.
        runs: of the strip's mask, with rows of the slice.
        component: number of the pore of each run.

    Returns:
        A piece for each number that occurs, and these numbers, ascending.
    """
    if not len(component):
        return Pieces.none(), np.zeros(0, np.int64)
    order = np.argsort(component, kind="stable")
    row, start, stop = (column[order] for column in runs)
    sorted_component = component[order]
    new = np.append(True, sorted_component[1:] != sorted_component[:-1])
    begin = np.flatnonzero(new)
    piece = np.cumsum(new) - 1
    top, left = row[begin], np.minimum.reduceat(start, begin)
    bottom = np.maximum.reduceat(row, begin)
    right = np.maximum.reduceat(stop, begin) - 1
    first = top * strip.probability.shape[1] + start[begin]

    down, across, length = row - top[piece], start - left[piece], stop - start
    # sums of 0, 1, ... and of their squares up to the length of the run
    linear, square = length * (length - 1) // 2, (length - 1) * length * (2 * length - 1) // 6
    column = length * across + linear
    sums = np.empty((len(begin), SUMS), np.int64)
    for name, values in (
        (AREA, length),
        (ROW, down * length),
        (COLUMN, column),
        (ROW_ROW, down * down * length),
        (ROW_COLUMN, down * column),
        (COLUMN_COLUMN, length * across * across + 2 * across * linear + square),
    ):
        sums[:, name] = np.add.reduceat(values, begin)
    numbers = sorted_component[begin]
    sums[:, PROBABILITY:] = _pixel_sums(strip, runs, component)[numbers]

    # the first run of a pore in a row reaches farthest to the left, the last to the right
    fresh = new | np.append(True, row[1:] != row[:-1])
    leftmost = np.flatnonzero(fresh)
    rightmost = np.append(leftmost[1:], len(row)) - 1
    outline = _interleaved(piece[leftmost], row[leftmost], stop[rightmost] - 1, -start[leftmost])
    return Pieces(sums, top, left, bottom, right, first, outline), numbers


def combined(parts: Sequence[tuple[Pieces, np.ndarray]], count: int) -> Pieces:
    """Put parts together to pores; of their outlines the hulls remain, which give the same hull as all points.

    Args:
        parts: pieces, and the number of the pore that each belongs to; every number below `count` occurs.
        count: number of pores.
    """
    owner = np.concatenate([numbers for _, numbers in parts])

    def extreme(name: str, choose: np.ufunc, worst: int) -> np.ndarray:
        result = np.full(count, worst, np.int64)
        choose.at(result, owner, np.concatenate([getattr(pieces, name) for pieces, _ in parts]))
        return result

    least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    top, left = extreme("top", np.minimum, most), extreme("left", np.minimum, most)
    # as Python's integers: a pore that spans a large scan has moments beyond 64 bits
    sums = np.zeros((count, SUMS), object)
    for pieces, numbers in parts:
        shifted = moved(pieces.sums.astype(object), pieces.top - top[numbers], pieces.left - left[numbers])
        np.add.at(sums, numbers, shifted)
    outlines = [
        outline._replace(chain=2 * numbers[outline.chain >> 1] + (outline.chain & 1))
        for outline, numbers in ((pieces.outline, numbers) for pieces, numbers in parts)
    ]
    return Pieces(
        sums,
        top,
        left,
        extreme("bottom", np.maximum, least),
        extreme("right", np.maximum, least),
        extreme("first", np.minimum, most),
        hulls(joined(outlines)),
    )


def _pixel_sums(strip: Strip, runs: Runs, component: np.ndarray) -> np.ndarray:
    """Probability and pixels of the kinds of the perimeter, for each number of a pore."""
    count = int(component.max()) + 1
    sums = np.zeros((count, SUMS - PROBABILITY), np.int64)
    mask = strip.mask[CONTEXT:-CONTEXT, 1:-1]
    of_pixel = np.repeat(component, runs.stop - runs.start)
    # weights are summed in float64, which holds these whole numbers
    sums[:, 0] = np.bincount(of_pixel, strip.probability[mask], count)
    kinds = border_kinds(strip.mask)[:, 1:-1][mask]
    for kind in (1, 2, 3):
        sums[:, KINDS - PROBABILITY + kind - 1] = np.bincount(of_pixel[kinds == kind], minlength=count)
    return sums


def _interleaved(piece: np.ndarray, row: np.ndarray, right: np.ndarray, left: np.ndarray) -> Chains:
    """Both chains of each piece from rows sorted by piece: right, left, right, left ..."""
    chain = np.concatenate([2 * piece, 2 * piece + 1])
    order = np.argsort(chain, kind="stable")
    return Chains(chain[order], np.concatenate([row, row])[order], np.concatenate([right, left])[order])


class PoreTracker:
    """One slice, strip by strip.

    In memory between strips: the runs of the last row, and of each pore that reaches it its sums and the vertices of
    its hull.
    """

    def __init__(self) -> None:
        self._last_row = PlacedRuns.none()
        self._open = Pieces.none()

    def add(self, strip: Strip) -> list[Pieces]:
        """The pores that end within the strip, in no order."""
        height, width = strip.probability.shape
        runs = find_runs(strip.mask[CONTEXT:-CONTEXT], strip.top)
        connector = RunConnector(width, self._last_row, len(self._open), rows=(-1,))
        connector.add(runs)
        found = connector.finish()
        pieces, numbers = pieces_of(strip, runs, found.runs.owner)

        last_row = found.runs.from_row(strip.top + height - 1, width)
        goes_on = np.zeros(found.pores, bool)
        goes_on[last_row.owner] = True
        came_in = np.zeros(found.pores, bool)
        came_in[found.of_known] = True
        partial = goes_on | came_in

        inside = pieces.take(~partial[numbers])
        number = np.cumsum(partial) - 1
        parts = [
            (self._open, number[found.of_known]),
            (pieces.take(partial[numbers]), number[numbers[partial[numbers]]]),
        ]
        known = combined(parts, int(partial.sum()))
        stays = goes_on[partial]
        self._open = known.take(stays)
        self._last_row = last_row._replace(owner=(np.cumsum(stays) - 1)[number[last_row.owner]])
        return [inside, known.take(~stays)]

    def finish(self) -> Pieces:
        """The pores that reach the slice's last row."""
        return self._open
