"""Which runs of pixels touch, in a slice and from slice to slice."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


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
