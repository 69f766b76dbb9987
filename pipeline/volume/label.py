"""The pores of a stack in space: 3-D connected components, out of core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline.scan.output import ScanStore
from pipeline.volume.masks import mask_parts
from pipeline.volume.owners import OwnerFiles
from pipeline.volume.records import RECORD
from pipeline.volume.tracker import VolumeTracker


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
