"""What is known of a 3-D pore: one small record, which adds up over its parts."""

from __future__ import annotations

import numpy as np

from pipeline.pores.runs import Runs

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
