"""Follows the pores of a slice from top to bottom and hands out those that are complete."""

from __future__ import annotations

import numpy as np

from pipeline.pores.pieces import Pieces, combined, pieces_of
from pipeline.pores.runs import Front, connect, find_runs
from pipeline.pores.strips import CONTEXT, Strip


class PoreTracker:
    """One slice, strip by strip.

    In memory between strips: the runs of the last row, and of each pore that reaches it its sums and the vertices of
    its hull.
    """

    def __init__(self) -> None:
        nothing = np.zeros(0, np.int64)
        self._front = Front(nothing, nothing, nothing)
        self._open = Pieces.none()

    def add(self, strip: Strip) -> list[Pieces]:
        """The pores that end within the strip, in no order."""
        mask = strip.mask[CONTEXT:-CONTEXT]
        runs = find_runs(mask)
        components = connect(runs, self._front, len(self._open), strip.probability.shape[1])
        pieces, numbers = pieces_of(strip, runs, components.of_run)

        at_the_end = runs.row == len(mask) - 1
        goes_on = np.zeros(components.total, bool)
        goes_on[components.of_run[at_the_end]] = True
        came_in = np.zeros(components.total, bool)
        came_in[components.of_open] = True
        partial = goes_on | came_in

        inside = pieces.take(~partial[numbers])
        number = np.cumsum(partial) - 1
        parts = [
            (self._open, number[components.of_open]),
            (pieces.take(partial[numbers]), number[numbers[partial[numbers]]]),
        ]
        known = combined(parts, int(partial.sum()))
        stays = goes_on[partial]
        self._open = known.take(stays)
        owner = (np.cumsum(stays) - 1)[number[components.of_run[at_the_end]]]
        self._front = Front(runs.start[at_the_end], runs.stop[at_the_end], owner)
        return [inside, known.take(~stays)]

    def finish(self) -> Pieces:
        """The pores that reach the slice's last row."""
        return self._open
