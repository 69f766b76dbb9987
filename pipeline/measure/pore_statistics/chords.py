"""Chord lengths of pores: the pieces that straight lines cut out of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.measure.pixel_runs import find_runs
from pipeline.measure.pore_statistics.size_distribution import weighted_quantile


@dataclass(frozen=True)
class Chords:
    """Chord lengths along one axis; every row (or column) of pixels is a line.

    S. Torquato, Random Heterogeneous Materials (2002), chapter 2 (chord-length distribution); E. E. Underwood,
    Quantitative Stereology (1970), chapter 4 (mean intercept length).

    Attributes:
        counts: whole chords of each length in px, from 0, (longest + 1,).
        cut: chords that a border of the rock cuts at one end or both, so that their length is not known.
        pixels: pore pixels on all lines.
        ends: ends of chords that lie in the rock: two of a whole chord, one or none of a cut one.
    """

    counts: np.ndarray
    cut: int
    pixels: int
    ends: int

    @property
    def mean_intercept(self) -> float:
        """Mean intercept length, px; NaN without an end.

        Pore length over half the number of ends. Unlike the mean of the whole chords, it is not too short where borders
        cut the long ones. A pixel at a cut end counts half, because only one of its sides is seen.
        """
        cut_ends = 2 * (int(self.counts.sum()) + self.cut) - self.ends
        return (2 * self.pixels - cut_ends) / self.ends if self.ends else float("nan")

    @property
    def median(self) -> float:
        """Median of the whole chords, px; NaN without one."""
        return weighted_quantile(np.arange(len(self.counts)), self.counts, 0.5) if self.counts.any() else float("nan")

    def density(self, edges: np.ndarray) -> np.ndarray:
        """Share of the whole chords in each bin (px; half open, [a, b)) over the bin's width, 1/px."""
        cumulative = np.concatenate([[0], np.cumsum(self.counts)])
        within = np.diff(cumulative[np.minimum(np.ceil(edges).astype(int), len(self.counts))])
        # lengths are whole numbers: a bin is as wide as the number of them that it holds
        widths = np.maximum(1, np.diff(np.ceil(edges)))
        return within / (max(1, self.counts.sum()) * widths)


class ChordCounter:
    """Counts chords along lines that run through the parts of a mask, added in order.

    Chords that go on in the next part are carried along: what is counted does not depend on how the mask was cut.

    Args:
        lines: number of parallel lines.
    """

    def __init__(self, lines: int) -> None:
        self._counts = np.zeros(1, np.int64)
        self._cut = self._pixels = self._ends = 0
        self._open = np.zeros(lines, np.int64)  # px of the chord that is not finished, on each line
        self._open_cut = np.zeros(lines, bool)  # whether its first end is cut
        self._outside = np.ones(lines, bool)  # whether the last pixel was no rock

    def add(self, pore: np.ndarray, rock: np.ndarray | None, lines: slice = slice(None)) -> None:
        """Go on along some of the lines.

        Args:
            pore: (lines, px along the line), boolean.
            rock: where there is rock, of the same shape; None: everywhere.
            lines: which lines these are.
        """
        height, width = pore.shape
        inside = pore if rock is None else pore & rock
        opened, opened_cut, was_outside = self._open[lines], self._open_cut[lines], self._outside[lines]
        # as `find_runs` takes it, with a column more on the left: whether a chord comes in from the part before
        mask = np.zeros((height, width + 3), bool)
        mask[:, 1], mask[:, 2:-1] = opened > 0, inside
        line, start, stop = find_runs(mask)
        come_in, go_on = start == 0, stop == width + 1
        length = stop - start
        length[come_in] += opened[line[come_in]] - 1
        if rock is None:
            first_cut = (start == 1) & was_outside[line]
            last_cut = np.zeros(len(line), bool)
        else:
            outside = np.concatenate([was_outside[:, None], ~rock, np.zeros((height, 1), bool)], axis=1)
            first_cut = outside[line, np.maximum(start, 1) - 1]
            last_cut = outside[line, stop]
        first_cut = np.where(come_in, opened_cut[line], first_cut)
        self._finish(length[~go_on], first_cut[~go_on], last_cut[~go_on])
        opened[:] = 0  # a view: this is the counter's own
        opened[line[go_on]] = length[go_on]
        opened_cut[line[go_on]] = first_cut[go_on]
        self._outside[lines] = False if rock is None else ~rock[:, -1]

    def stop(self) -> None:
        """The lines are at a border; what follows is another part of the rock."""
        there = self._open > 0
        self._finish(self._open[there], self._open_cut[there], np.ones(there.sum(), bool))
        self._open[:], self._open_cut[:], self._outside[:] = 0, False, True

    def result(self) -> Chords:
        """What was counted of the chords that are finished."""
        return Chords(self._counts.copy(), self._cut, self._pixels, self._ends)

    def _finish(self, length: np.ndarray, first_cut: np.ndarray, last_cut: np.ndarray) -> None:
        if not len(length):
            return
        whole = ~(first_cut | last_cut)
        found = np.bincount(length[whole], minlength=len(self._counts))
        found[: len(self._counts)] += self._counts
        self._counts = found
        self._cut += int((~whole).sum())
        self._pixels += int(length.sum())
        self._ends += int((~first_cut).sum() + (~last_cut).sum())
