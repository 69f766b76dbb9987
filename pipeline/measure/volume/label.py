"""The pores of a stack in space: 3-D connected components, out of core, and the labelled volume."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pipeline.engine import ScanStore, write_nifti
from pipeline.engine.store import MASK
from pipeline.measure.pores.runs import find_runs
from pipeline.measure.volume.tracker import RECORD, VolumeTracker


class OwnerFiles:
    """Written slice by slice, resolved from the last slice to the first, read slice by slice.

    A run is known by the number of its pore among those that are open after its slice, and what becomes of an open
    pore is known a slice later. From the last slice backwards, each number is followed to its label with one slice in
    memory.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._slices = 0

    def add(self, owner: np.ndarray, fate: np.ndarray) -> None:
        """Take the next slice.

        Args:
            owner: open pore of each of its runs.
            fate: of each pore that was open before it: its number after it, or -1 - its place among all that ended.
        """
        np.save(self._owner(self._slices), owner.astype(np.int32))
        if self._slices:
            np.save(self._fate(self._slices - 1), fate.astype(np.int64))
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
                fate = np.load(self._fate(slice_))
                ends = fate < 0
                now = np.empty(len(fate), np.int32)
                now[ends] = label[-1 - fate[ends]]
                now[~ends] = later[fate[~ends]]
                later = now
            np.save(self._fate(slice_), later)

    def labels(self, slice_: int) -> np.ndarray:
        """Label of each run of a slice, in scan order (int32); to be called after `finish`."""
        return np.load(self._fate(slice_))[np.load(self._owner(slice_))]

    def _owner(self, slice_: int) -> Path:
        return self._folder / f"{slice_}.owner.npy"

    def _fate(self, slice_: int) -> Path:
        return self._folder / f"{slice_}.fate.npy"


#: of a part; some ten bytes for each are in memory
_PIXELS = 1 << 22


def mask_parts(store: ScanStore, slice_: int) -> Iterator[tuple[int, np.ndarray]]:
    """First row of each part of a slice, from top to bottom, and its mask (h, W), boolean.

    A row of chunks is in memory at a time.

    Raises:
        UserError: a chunk is missing or damaged.
    """
    step = max(1, _PIXELS // store.plan.shape[2])
    for row, band in enumerate(store.bands(MASK, slice_)):
        for top in range(0, len(band), step):
            yield row * store.plan.chunk + top, band[top : top + step] != 0


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
    files = None if waiting is None else OwnerFiles(waiting)
    for slice_ in range(depth):
        added = tracker.add(mask_parts(store, slice_))
        if files is not None:
            files.add(added.owner, _numbered(added.fate, count))
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


def _numbered(fate: np.ndarray, before: int) -> np.ndarray:
    """Fates, in which pores that ended are numbered over the whole stack."""
    return np.where(fate < 0, fate - before, fate)


LABELS = "labels.nii.gz"


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
    bands = _labelled(store, OwnerFiles(waiting))
    write_nifti(path, store.plan, np.int32, bands, pixel_size_nm=pixel_size_nm, slice_spacing_nm=slice_spacing_nm)


def _labelled(store: ScanStore, owners: OwnerFiles) -> Iterator[np.ndarray]:
    """Labels (h, W), int32, from the top of the first slice on."""
    for slice_ in range(store.plan.depth):
        of_run = owners.labels(slice_)
        for _, mask in mask_parts(store, slice_):
            runs = find_runs(np.pad(mask, ((0, 0), (1, 1))))
            labels = np.zeros(mask.shape, np.int32)
            # runs and pixels stand in the same order
            labels[mask] = np.repeat(of_run[: len(runs.row)], runs.stop - runs.start)
            of_run = of_run[len(runs.row) :]
            yield labels
