"""Pores as horizontal runs of pixels, and which runs hang together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


class Runs(NamedTuple):
    """Pixels `start` to `stop` - 1 of a row, for each run; from top to bottom, in a row from left to right."""

    row: np.ndarray
    start: np.ndarray
    stop: np.ndarray


class Front(NamedTuple):
    """The runs of the last row that was seen, and the number of the open pore that each belongs to."""

    start: np.ndarray
    stop: np.ndarray
    owner: np.ndarray


class Connection(NamedTuple):
    """Components of open pores and runs together.

    Attributes:
        total: how many.
        of_open: component of each open pore.
        of_run: component of each run.
    """

    total: int
    of_open: np.ndarray
    of_run: np.ndarray


def find_runs(mask: np.ndarray) -> Runs:
    """Runs of True in a mask (H, W + 2), whose first and last columns are False and don't count."""
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1])  # a column less: the first does not count
    row = edges[0::2] // mask.shape[1]
    origin = row * mask.shape[1]
    return Runs(row, edges[0::2] - origin, edges[1::2] - origin)


def connect(runs: Runs, front: Front, open_pores: int, width: int) -> Connection:
    """Join runs that touch, also at corners (8-connectivity), with each other and with the pores above.

    Args:
        runs: of a strip.
        front: of the row above the strip.
        open_pores: number of pores that reach that row.
        width: of the strip (px).
    """
    # one number line for all rows, with a gap between them: what touches lies a stride apart
    stride = width + 2
    begin = np.concatenate([front.start, (runs.row + 1) * stride + runs.start])
    end = np.concatenate([front.stop, (runs.row + 1) * stride + runs.stop])
    ahead = len(front.start)
    first = np.searchsorted(end, begin[ahead:] - stride, "left")
    touching = np.searchsorted(begin, end[ahead:] - stride, "right") - first
    # nodes: the open pores, the runs of the front, the runs of the strip
    above = np.repeat(first - np.cumsum(touching) + touching, touching) + np.arange(touching.sum())
    neighbours = np.concatenate([front.owner, open_pores + above])
    degrees = np.concatenate([np.zeros(open_pores, np.int64), np.ones(ahead, np.int64), touching])
    pointers = np.concatenate([[0], np.cumsum(degrees)])
    graph = csr_array((np.ones(len(neighbours)), neighbours, pointers), shape=(len(degrees), len(degrees)))
    count, labels = connected_components(graph, directed=False)
    return Connection(int(count), labels[:open_pores], labels[open_pores + ahead :])
