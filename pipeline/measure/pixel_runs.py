"""Pores as horizontal runs of pixels, and which runs are connected: within a slice, and from slice to slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


class Runs(NamedTuple):
    """Pixels `start` to `stop` - 1 of a row, for each run (N,); from top to bottom, in a row from left to right."""

    row: np.ndarray
    start: np.ndarray
    stop: np.ndarray


def find_runs(mask: np.ndarray, top: int = 0) -> Runs:
    """Runs of True.

    Args:
        mask: (H, W + 2), boolean, C-contiguous; its first and last columns are False and not counted.
        top: number of its first row.
    """
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])  # places count from the second column: the first is not counted
    row = edges[0::2] // mask.shape[1]
    origin = row * mask.shape[1]
    return Runs(row + top, edges[0::2] - origin, edges[1::2] - origin)


class PlacedRuns(NamedTuple):
    """Runs of the rows of one slice on a single number line, in ascending order, and what each belongs to.

    Attributes:
        begin: place of the first pixel (N,): row times (width + 2) plus column.
        end: place behind the last pixel (N,).
        owner: number of a pore, or of a part of one (N,).
    """

    begin: np.ndarray
    end: np.ndarray
    owner: np.ndarray

    @classmethod
    def none(cls) -> PlacedRuns:
        """No runs."""
        nothing = np.zeros(0, np.int64)
        return cls(nothing, nothing, nothing.astype(np.int32))

    def from_row(self, row: int, width: int) -> PlacedRuns:
        """Those in this row and below, in a slice of this width (px)."""
        first = np.searchsorted(self.begin, row * (width + 2))
        return PlacedRuns(*(values[first:].copy() for values in self))


class Connected(NamedTuple):
    """The pores that known pores and the runs of a slice make together, numbered from 0.

    Attributes:
        pores: number of pores.
        of_known: pore of each pore that was known before (K,).
        of_component: pore of each component that `RunConnector.add` found, part after part (C,).
        runs: all runs, with their pores as owners.
    """

    pores: int
    of_known: np.ndarray
    of_component: np.ndarray
    runs: PlacedRuns


class RunConnector:
    """Joins runs of a slice that touch at edges or corners, with each other and with the pores known before.

    Parts of the slice are added from top to bottom; each is joined by itself, and what it touches around it is kept
    as pairs, which `finish` resolves. On the number line of `PlacedRuns`, rows have a gap between them: two runs touch
    if their intervals overlap or meet once one of them is shifted by a whole number of rows.

    The rows of the known runs decide the connectivity. With the row above (-1) in the same slice, pores are connected
    by 8 neighbours; with the row above, the same row and the row below (-1, 0, 1) in the slice before, by 26.

    Args:
        width: of the slice (px).
        known: runs of the pores that are known.
        pores: number of these.
        rows: rows of the known runs that a run may touch, counted from its own.
    """

    def __init__(self, width: int, known: PlacedRuns, pores: int, rows: Sequence[int]) -> None:
        self._width = width
        self._known, self._pores = known, pores
        self._steps = [row * (width + 2) for row in rows]
        self._parts: list[PlacedRuns] = []
        self._pairs = [np.zeros((0, 2), np.int64)]
        #: so many nodes: the known pores, then the components of each part
        self._nodes = pores

    def add(self, runs: Runs) -> tuple[int, np.ndarray]:
        """Join the runs of the next part.

        Args:
            runs: of whole rows of the slice, below those added before.

        Returns:
            Number of components of the part, and the component of each of its runs (N,), from 0.
        """
        step = self._width + 2
        begin, end = (runs.row * step + column for column in (runs.start, runs.stop))
        first, touching = _touching(begin - step, end - step, begin, end)
        pointers = np.concatenate([[0], np.cumsum(touching)])
        shape = (len(begin), len(begin))
        graph = csr_array((np.ones(pointers[-1]), _ranges(first, touching), pointers), shape=shape)
        count, component = connected_components(graph, directed=False)
        part = PlacedRuns(begin, end, component + np.int32(self._nodes))
        above = []
        if self._parts and len(begin):
            above = [(self._parts[-1].from_row(int(runs.row[0]) - 1, self._width), -step)]
        pairs = []
        for others, offset in (*above, *((self._known, offset) for offset in self._steps)):
            first, touching = _touching(begin + offset, end + offset, others.begin, others.end)
            pairs.append([np.repeat(part.owner, touching), others.owner[_ranges(first, touching)]])
        self._pairs.append(_distinct(np.concatenate(pairs, axis=1).T.astype(np.int64)))
        self._parts.append(part)
        self._nodes += int(count)
        return int(count), component

    def finish(self) -> Connected:
        """Number the pores, when all parts are added."""
        pairs = np.concatenate(self._pairs)
        graph = csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(self._nodes, self._nodes))
        count, of_node = connected_components(graph, directed=False)
        begin, end, owner = (
            np.concatenate(columns) for columns in zip(*(PlacedRuns.none(), *self._parts), strict=True)
        )
        runs = PlacedRuns(begin, end, of_node[owner])
        return Connected(int(count), of_node[: self._pores], of_node[self._pores :], runs)


def _touching(
    begin: np.ndarray, end: np.ndarray, others_begin: np.ndarray, others_end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First of the others (M,) that each run (N,) touches, and how many it touches; all are places in order."""
    first = np.searchsorted(others_end, begin, "left")
    return first, np.searchsorted(others_begin, end, "right") - first


def _ranges(first: np.ndarray, count: np.ndarray) -> np.ndarray:
    """`first`, `first` + 1, ... up to `count` numbers for each entry, concatenated."""
    return np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)


def _distinct(pairs: np.ndarray) -> np.ndarray:
    """Each pair (N, 2) of 32-bit numbers once."""
    keys = np.unique(pairs[:, 0] << 32 | pairs[:, 1])
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)
