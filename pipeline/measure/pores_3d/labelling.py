"""The pores of a stack in space: 3-D connected components, out of core, and the labelled volume."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.engine import ScanStore, write_nifti
from pipeline.engine.store import MASK
from pipeline.measure.object_files import PORE_FILES
from pipeline.measure.pixel_runs import PlacedRuns, RunConnector, Runs, find_runs

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


def counted_from(records: np.ndarray, row: int) -> np.ndarray:
    """Records (N,) whose rows are counted from a later row than the first of the segmented region."""
    moved = records.copy()
    moved["sum_y"] -= row * moved["voxels"]
    for name in ("min_y", "max_y"):
        moved[name] -= row
    return moved


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
        next_number: of each pore that was open before the slice: its number among the open ones after it, or, where it
            ended, -1 - its index in `finished`.
        owner: the open pore of each run of the slice, in scan order.
    """

    finished: np.ndarray
    next_number: np.ndarray
    owner: np.ndarray


class VolumeTracker:
    """Follows the pores of a stack from slice to slice, and returns those that are complete.

    Voxels that touch at faces, edges or corners are one pore (26-connectivity), which in a slice is the 8-connectivity
    of the 2-D pores. Between slices, in memory are the runs of the last slice, and a record for each pore that reaches
    it.

    Args:
        shape: height and width of a slice (px).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._slice = 0
        #: of the last slice, with their open pores
        self._runs = PlacedRuns.none()
        #: of all pores that reach the last slice
        self.open = np.zeros(0, RECORD)

    def add(self, parts: Iterable[tuple[int, np.ndarray]]) -> SlicePores:
        """Take the next slice.

        Args:
            parts: first row and mask (h, W + 2), as for `find_runs`, of each part, from top to bottom.
        """
        connector = RunConnector(self._shape[1], self._runs, len(self.open), rows=(-1, 0, 1))
        records = [self.open]
        for top, mask in parts:
            runs = find_runs(mask, top)
            count, component = connector.add(runs)
            records.append(merged(records_of_runs(runs, self._slice, self._shape), component, count))
        found = connector.finish()
        joined = merged(np.concatenate(records), np.concatenate([found.of_known, found.of_component]), found.pores)

        goes_on = np.zeros(found.pores, bool)
        goes_on[found.of_component] = True
        number = np.where(goes_on, np.cumsum(goes_on) - 1, -np.cumsum(~goes_on))
        self._runs = found.runs._replace(owner=number[found.runs.owner].astype(np.int32))
        self.open = joined[goes_on]
        self._slice += 1
        return SlicePores(joined[~goes_on], number[found.of_known], self._runs.owner)


class RunLabels:
    """The label of each run of each slice, in files: written slice by slice, and resolved from the last slice on.

    A run is known by the number of its pore among those that are open after its slice, and what becomes of an open
    pore is known a slice later. From the last slice backwards, each number is followed to its label with one slice in
    memory.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._slices = 0

    def add(self, owner: np.ndarray, next_number: np.ndarray) -> None:
        """Take the next slice.

        Args:
            owner: open pore of each of its runs.
            next_number: of each pore that was open before it: its number after it, or -1 - its place among all that
                ended.
        """
        np.save(self._owner(self._slices), owner.astype(np.int32))
        if self._slices:
            np.save(self._next(self._slices - 1), next_number.astype(np.int64))
        self._slices += 1

    def finish(self, label: np.ndarray, ended: int) -> None:
        """Follow every number to its label.

        Args:
            label: of all pores, in the order in which they ended (int32); those that reach the last slice come last.
            ended: how many pores ended before the last slice did.
        """
        later = label[ended:]
        for slice_ in reversed(range(self._slices)):
            if slice_ < self._slices - 1:
                number = np.load(self._next(slice_))
                ends = number < 0
                now = np.empty(len(number), np.int32)
                now[ends] = label[-1 - number[ends]]
                now[~ends] = later[number[~ends]]
                later = now
            np.save(self._next(slice_), later)

    def labels(self, slice_: int) -> np.ndarray:
        """Label of each run of a slice, in scan order (int32); to be called after `finish`."""
        return np.load(self._next(slice_))[np.load(self._owner(slice_))]

    def _owner(self, slice_: int) -> Path:
        return self._folder / f"{slice_}.owner.npy"

    def _next(self, slice_: int) -> Path:
        return self._folder / f"{slice_}.next.npy"


#: pixels of a part; some ten bytes for each are in memory
_PIXELS = 1 << 22


def mask_parts(store: ScanStore, slice_: int) -> Iterator[tuple[int, np.ndarray]]:
    """First row of each part of a slice, from top to bottom, and its mask (h, W + 2), as for `find_runs`.

    A row of chunks is in memory at a time.

    Raises:
        UserError: a chunk is missing or damaged.
    """
    step = max(1, _PIXELS // store.plan.shape[2])
    for row, band in enumerate(store.bands(MASK, slice_)):
        for top in range(0, len(band), step):
            yield row * store.plan.chunk + top, np.pad(band[top : top + step] != 0, ((0, 0), (1, 1)))


def label_volume(
    store: ScanStore, waiting: Path | None = None, *, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """Find the 3-D pores of a finished stack: pore voxels that touch at faces, edges or corners (26-connectivity).

    One pass over the mask. In memory are a row of chunks, the runs of two slices (20 bytes each), and for each pore
    a record of 64 bytes, in three copies at the end.

    Args:
        store: with all its chunks.
        waiting: folder for what the labelled volume is made of (`write_labels`); None: it is not kept.
        progress: called with the number of slices that are finished since the last call.

    Returns:
        A `RECORD` for each pore, (N,), in the order of their first voxels by slices, rows and columns: that of label
        1 is the first.

    Raises:
        UserError: a chunk is missing or damaged.
    """
    depth, height, width = store.plan.shape
    tracker = VolumeTracker((height, width))
    finished = [np.zeros(0, RECORD)]
    count = 0
    files = None if waiting is None else RunLabels(waiting)
    for slice_ in range(depth):
        added = tracker.add(mask_parts(store, slice_))
        if files is not None:
            # pores that ended are numbered over the whole stack
            files.add(added.owner, np.where(added.next_number < 0, added.next_number - count, added.next_number))
        finished.append(added.finished)
        count += len(added.finished)
        if progress is not None:
            progress(1)
    records = np.concatenate([*finished, tracker.open])
    order = np.argsort(records["first"])
    if files is not None:
        label = np.empty(len(records), np.int32)
        label[order] = np.arange(1, len(records) + 1)
        files.finish(label, count)
    return records[order]


LABELS = PORE_FILES.labels


def write_labels(
    store: ScanStore,
    path: Path,
    waiting: Path,
    *,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
) -> None:
    """Write the label of each voxel as NIfTI, int32: 0 outside of pores, else the pore's number in the table.

    The second pass over the mask; a part of a slice is in memory.

    Args:
        store: of the stack.
        path: ``*.nii`` or ``*.nii.gz``.
        waiting: the folder that `label_volume` was given.
        pixel_size_nm: side of a pixel (nm), as for `write_nifti`.
        slice_spacing_nm: distance of slices (nm), likewise.

    Raises:
        UserError: a chunk is missing or damaged, or the disk is full or refuses.
    """
    bands = _labelled(store, RunLabels(waiting))
    write_nifti(path, store.plan, np.int32, bands, pixel_size_nm=pixel_size_nm, slice_spacing_nm=slice_spacing_nm)


def _labelled(store: ScanStore, run_labels: RunLabels) -> Iterator[np.ndarray]:
    """Labels (h, W), int32, from the top of the first slice on."""
    for slice_ in range(store.plan.depth):
        of_run = run_labels.labels(slice_)
        for _, mask in mask_parts(store, slice_):
            runs = find_runs(mask)
            inner = mask[:, 1:-1]
            labels = np.zeros(inner.shape, np.int32)
            # runs and pixels are in the same order
            labels[inner] = np.repeat(of_run[: len(runs.row)], runs.stop - runs.start)
            of_run = of_run[len(runs.row) :]
            yield labels
