"""Follows the pores of a stack from slice to slice and hands out those that are complete."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.measure.pores.runs import Runs, find_runs


def positions(row: np.ndarray, column: np.ndarray, width: int) -> np.ndarray:
    """Places on one number line for all rows, with a gap between them: what touches lies a stride apart, or none.

    Args:
        row: of each run (N,).
        column: 0 to `width` (N,).
        width: of the slice (px).
    """
    return row.astype(np.int64) * stride(width) + column


def stride(width: int) -> int:
    """Distance of two rows on the number line of `positions`."""
    return width + 2


def touching(
    begin: np.ndarray, end: np.ndarray, others_begin: np.ndarray, others_end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of runs of which one begins where the other ends, or earlier: they share a column, or meet at corners.

    Args:
        begin: positions of the first pixels (N,), ascending.
        end: positions behind the last pixels (N,), ascending.
        others_begin: of the other runs (M,), likewise.
        others_end: of the other runs (M,).

    Returns:
        Indices of the runs and of the others, one of each for each pair.
    """
    first = np.searchsorted(others_end, begin, "left")
    count = np.searchsorted(others_begin, end, "right") - first
    ours = np.repeat(np.arange(len(begin)), count)
    return ours, np.arange(len(ours)) + np.repeat(first - np.cumsum(count) + count, count)


def components(nodes: int, one: np.ndarray, other: np.ndarray) -> tuple[int, np.ndarray]:
    """How many components some pairs make of `nodes` nodes, and that of each node (N,)."""
    graph = csr_array((np.ones(len(one), np.int8), (one, other)), shape=(nodes, nodes))
    count, of_node = connected_components(graph, directed=False)
    return int(count), of_node.astype(np.int64)


#: number of the first voxel in scan order (slices, rows, columns), voxels, sums of their columns, rows and slices, and
#: the first and last of each; all count in the segmented region
RECORD = np.dtype(
    [
        ("first", "i8"),
        ("voxels", "i8"),
        *((f"sum_{axis}", "i8") for axis in "xyz"),
        *((f"{end}_{axis}", "i4") for axis in "xyz" for end in ("min", "max")),
    ]
)
_SUMMED = ("voxels", "sum_x", "sum_y", "sum_z")
_LEAST = ("first", "min_x", "min_y", "min_z")
_LARGEST = ("max_x", "max_y", "max_z")


def records_of_runs(runs: Runs, slice_: int, shape: tuple[int, int]) -> np.ndarray:
    """A record of each run, `RECORD` (N,).

    Args:
        runs: of a slice, with rows of the slice.
        slice_: its number.
        shape: height and width of the slice (px).
    """
    height, width = shape
    length = runs.stop - runs.start
    records = np.empty(len(length), RECORD)
    records["first"] = (slice_ * height + runs.row) * width + runs.start
    records["voxels"] = length
    records["sum_x"] = (runs.start + runs.stop - 1) * length // 2
    records["sum_y"] = runs.row * length
    records["sum_z"] = slice_ * length
    records["min_x"], records["max_x"] = runs.start, runs.stop - 1
    records["min_y"] = records["max_y"] = runs.row
    records["min_z"] = records["max_z"] = slice_
    return records


def merged(records: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Records (N,) of the same group as one, (`groups`,); every group has one at least."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    result = np.empty(groups, RECORD)
    if not groups:
        return result
    for names, whole in ((_SUMMED, np.add), (_LEAST, np.minimum), (_LARGEST, np.maximum)):
        for name in names:
            result[name] = whole.reduceat(records[name][order], starts)
    return result


class SlicePores(NamedTuple):
    """What a slice added.

    Attributes:
        finished: records of the pores that ended in the slice before.
        fate: of each pore that was open before the slice: its number among the open ones after it, or, where it
            ended, -1 - its index in `finished`.
        owner: the open pore of each run of the slice, in scan order.
    """

    finished: np.ndarray
    fate: np.ndarray
    owner: np.ndarray


class _Part(NamedTuple):
    """Components of a part of a slice, and what they touch around it, as pairs."""

    begin: np.ndarray
    end: np.ndarray
    of_run: np.ndarray
    records: np.ndarray
    pairs: np.ndarray


class VolumeTracker:
    """One stack, slice by slice.

    Voxels belong together that touch at faces, edges or corners (26-connectivity), which in a slice is the
    8-connectivity of the 2-D pores. Pixels of a slice are run-length encoded; a run touches those of the row above, and
    of three rows of the slice before. Between slices, in memory are the runs of the last slice, and a record for
    each pore that reaches it.

    Args:
        shape: height and width of a slice (px).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        nothing = np.zeros(0, np.int64)
        self._shape = shape
        self._slice = 0
        #: of the last slice: positions of its runs, and the open pore of each
        self._begin, self._end, self._owner = nothing, nothing, nothing.astype(np.int32)
        #: of all pores that reach the last slice
        self.open = np.zeros(0, RECORD)

    def add(self, parts: Iterable[tuple[int, np.ndarray]]) -> SlicePores:
        """Take the next slice.

        Args:
            parts: first row and mask (h, W), boolean, of each part, from top to bottom.
        """
        known = len(self.open)  # nodes: the open pores, then the components of each part
        done: list[_Part] = []
        total = known
        for top, mask in parts:
            part = self._part(top, mask, total, done[-1] if done else None)
            total += len(part.records)
            done.append(part)
        pairs = np.concatenate([np.zeros((0, 2), np.int64), *(part.pairs for part in done)])
        count, of_node = components(total, pairs[:, 0], pairs[:, 1])
        records = merged(np.concatenate([self.open, *(part.records for part in done)]), of_node, count)

        goes_on = np.zeros(count, bool)
        goes_on[of_node[known:]] = True
        number = np.where(goes_on, np.cumsum(goes_on) - 1, -np.cumsum(~goes_on))
        nothing = np.zeros(0, np.int64)
        self._begin = np.concatenate([nothing, *(part.begin for part in done)])
        self._end = np.concatenate([nothing, *(part.end for part in done)])
        owners = [number[of_node[part.of_run]].astype(np.int32) for part in done]
        self._owner = np.concatenate([nothing.astype(np.int32), *owners])
        self.open = records[goes_on]
        self._slice += 1
        return SlicePores(records[~goes_on], number[of_node[:known]], self._owner)

    def _part(self, top: int, mask: np.ndarray, nodes: int, above: _Part | None) -> _Part:
        """Components of a part; their nodes are numbered from `nodes` on."""
        width = self._shape[1]
        runs = find_runs(np.pad(mask, ((0, 0), (1, 1))))
        runs = Runs(runs.row + top, runs.start, runs.stop)
        begin, end = (positions(runs.row, column, width) for column in (runs.start, runs.stop))
        step = stride(width)
        count, component = components(len(begin), *touching(begin - step, end - step, begin, end))
        node = (component + nodes).astype(np.int32)
        pairs = []
        if above is not None:
            last = np.searchsorted(above.begin, (top - 1) * step)
            ours, theirs = touching(begin - step, end - step, above.begin[last:], above.end[last:])
            pairs.append(_pairs(node[ours], above.of_run[last:][theirs]))
        for row in (-step, 0, step):
            ours, theirs = touching(begin + row, end + row, self._begin, self._end)
            pairs.append(_pairs(node[ours], self._owner[theirs]))
        records = merged(records_of_runs(runs, self._slice, self._shape), component, count)
        return _Part(begin, end, node, records, _distinct(np.concatenate(pairs)))


def _pairs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.stack([one, other], axis=1).astype(np.int64)


def _distinct(pairs: np.ndarray) -> np.ndarray:
    """Each pair (N, 2) of 32-bit numbers once."""
    keys = np.unique(pairs[:, 0] << 32 | pairs[:, 1])
    return np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1)
