"""The labelled volume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.pores.runs import find_runs
from pipeline.scan.output import ScanStore, write_nifti
from pipeline.volume.masks import mask_parts
from pipeline.volume.owners import OwnerFiles

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
