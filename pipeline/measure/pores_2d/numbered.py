"""Which pixels belong to which row of the pore table: the pores of a slice as runs that carry their numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.measure.pixel_runs import PlacedRuns, RunConnector, find_runs
from pipeline.measure.pores_2d.strips import CONTEXT, Segmentation, strips


class NumberedSlices:
    """The pores of a segmentation, numbered as the rows of their table are.

    Iterated over, it gives the runs of each slice, from the first on; their owners are the numbers in the table, and 0
    is what is too small for it. In memory are the runs of a slice (20 bytes each).

    Args:
        segmentation: whose pores they are.
        min_area_px: smallest pore in the table (px).

    Attributes:
        count: of the pores that were numbered so far.
    """

    def __init__(self, segmentation: Segmentation, min_area_px: int) -> None:
        self._segmentation, self._min_area = segmentation, min_area_px
        self.count = 0

    def __iter__(self) -> Iterator[PlacedRuns]:
        self.count = 0
        for slice_ in range(self._segmentation.shape[0]):
            runs, found = _numbered(self._segmentation, slice_, self._min_area, self.count)
            self.count += found
            yield runs


def _numbered(segmentation: Segmentation, slice_: int, min_area_px: int, before: int) -> tuple[PlacedRuns, int]:
    """The runs of a slice with numbers that go on after `before`, and how many pores were numbered."""
    width = segmentation.shape[2]
    connector = RunConnector(width, PlacedRuns.none(), 0, rows=(-1,))
    for strip in strips(segmentation.bands(slice_), width):
        connector.add(find_runs(strip.mask[CONTEXT:-CONTEXT], strip.top))
    found = connector.finish()
    runs = found.runs
    area = np.zeros(found.pores, np.int64)
    np.add.at(area, runs.owner, runs.end - runs.begin)
    # runs are in the order of the pixels: that of a pore which comes first has the pore's first pixel
    pores, first = np.unique(runs.owner, return_index=True)
    kept = area[pores] >= min_area_px
    in_order = pores[kept][np.argsort(first[kept])]
    number = np.zeros(found.pores, np.int64)
    number[in_order] = before + 1 + np.arange(len(in_order))
    return runs._replace(owner=number[runs.owner]), len(in_order)


def painted(runs: PlacedRuns, rows: slice, width: int) -> np.ndarray:
    """The numbers (h, W), int64, of the pixels of some rows, 0 where there is no pore.

    Args:
        runs: of the slice.
        rows: start and stop (px).
        width: of the slice (px).
    """
    step = width + 2
    first, last = np.searchsorted(runs.begin, (rows.start * step, rows.stop * step))
    begin, end, owner = (values[first:last] for values in runs)
    changes = np.zeros((rows.stop - rows.start) * step + 1, np.int64)
    np.add.at(changes, begin - rows.start * step, owner)
    np.add.at(changes, end - rows.start * step, -owner)
    return np.cumsum(changes[:-1]).reshape(-1, step)[:, :width]
