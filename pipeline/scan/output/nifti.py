"""NIfTI files of whole volumes, written a band at a time."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np

from pipeline.atomic import atomic_path
from pipeline.errors import UserError
from pipeline.scan.output.durable import write_error
from pipeline.scan.output.plan import ChunkPlan

_NIFTI1_LARGEST = 32767  # its sizes are 16-bit integers


def write_nifti(
    path: str | Path,
    plan: ChunkPlan,
    dtype: type[np.generic],
    bands: Iterable[np.ndarray],
    *,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
) -> None:
    """Write the output of a plan, x first, with the pixel size in the affine: 3D Slicer and ITK-SNAP show it in scale.

    NIfTI-1, or NIfTI-2 where a side exceeds 32767 pixels. The region of interest's place in the scan is the origin.

    Args:
        path: ``*.nii`` or ``*.nii.gz``; it appears when it is whole.
        plan: whose output it is.
        dtype: of the voxels.
        bands: of whole rows (h, W) of that type, from the top of the first slice on; together they are the output.
        pixel_size_nm: nanometres; None where unknown: then a voxel is a cube of side 1, with no unit.
        slice_spacing_nm: distance of slices, nanometres; where it is not known, the pixel size stands in its place, as
            the header has one unit for all axes.

    Raises:
        UserError: an unknown suffix, or the disk is full or refuses.
    """
    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise UserError(f"{path}: a NIfTI file name must end in .nii or .nii.gz")
    header = _header(plan, dtype, pixel_size_nm, slice_spacing_nm)
    try:
        with atomic_path(path) as partial, partial.open("wb") as raw:
            # no name and time in the gzip header: the same pixels give the same file
            file = gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) if path.suffix == ".gz" else raw
            header.write_to(file)
            for band in bands:
                file.write(np.ascontiguousarray(band).data)
            if file is not raw:
                file.close()
    except OSError as error:
        raise write_error(path, error) from error


def _header(
    plan: ChunkPlan, dtype: type[np.generic], pixel_size_nm: float | None, slice_spacing_nm: float | None
) -> nib.Nifti1Header:
    shape = plan.shape[::-1]
    size = spacing = 1.0
    if pixel_size_nm:
        size = pixel_size_nm / 1000  # NIfTI knows micrometres, not nanometres
        spacing = slice_spacing_nm / 1000 if slice_spacing_nm else size
    affine = np.diag([size, size, spacing, 1.0])
    affine[:2, 3] = np.array([plan.region.x, plan.region.y]) * size
    header = nib.Nifti2Header() if max(shape) > _NIFTI1_LARGEST else nib.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape(shape)
    header.set_xyzt_units("micron" if pixel_size_nm else "unknown")
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner")
    header.set_slope_inter(1, 0)
    header.set_data_offset(header.single_vox_offset)
    return header
