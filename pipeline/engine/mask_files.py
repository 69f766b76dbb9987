"""The mask, or the label image of several phases, as a single file: OME-TIFF or NIfTI, written a band at a time."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import nibabel as nib
import numpy as np
import tifffile

from pipeline.engine.store import MASK, ScanStore
from pipeline.errors import UserError
from pipeline.files import atomic_path, write_error
from pipeline.tiling.chunk_plan import ChunkPlan

_NIFTI1_LARGEST = 32767  # its sizes are 16-bit integers
_DESCRIPTION = 79  # bytes that NIfTI has for a text


def write_nifti(
    path: str | Path,
    plan: ChunkPlan,
    dtype: type[np.generic],
    bands: Iterable[np.ndarray],
    *,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
    phases: Sequence[str] = (),
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
        phases: names of the values from 1, for the header, of a label image.

    Raises:
        UserError: an unknown suffix, or the disk is full or refuses.
    """
    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise UserError(f"{path}: a NIfTI file name must end in .nii or .nii.gz")
    header = _header(plan, dtype, pixel_size_nm, slice_spacing_nm)
    if phases:
        header.set_intent("label", name="phases", allow_unknown=True)
        header["descrip"] = _meaning(phases).encode()[:_DESCRIPTION].decode(errors="ignore").encode()
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


def _meaning(phases: Sequence[str]) -> str:
    """What the values of a label image are."""
    return ", ".join(["0 none", *(f"{number} {phase}" for number, phase in enumerate(phases, start=1))])


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


_BIGTIFF_FROM = 1 << 31  # bytes; deflate may also make noise a little larger
_BAND_PIXELS = 1 << 26


def export_tiff(
    store: ScanStore,
    path: str | Path,
    *,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
    identity: str = "",
) -> None:
    """Write the mask (0, 255), or the label image (0, 1 ...), as a tiled, compressed OME-TIFF with all levels.

    BigTIFF where the pixels take 2 GiB or more uncompressed. The coarser levels are SubIFDs, where QuPath, Fiji's
    Bio-Formats and tifffile look for them; deflate, as every reader has it. Read tile by tile.

    Args:
        store: finished, with its pyramid.
        path: of the file, by custom ``*.ome.tif``; it appears when it is whole.
        pixel_size_nm: nanometres, if known.
        slice_spacing_nm: distance of slices, nanometres, if known.
        identity: from which the file's UUID is made, such as the hash of the request: the same pixels of the same
            identity give the same bytes. Empty: a random one.

    Raises:
        UserError: a chunk is missing or damaged, or the disk is full or refuses.
    """
    path = Path(path)
    depth = store.shapes[0][0]
    metadata = _ome_metadata("phases" if store.labelled else "mask", depth, pixel_size_nm, slice_spacing_nm, identity)
    if store.labelled:
        metadata["Description"] = _meaning(store.phases)
    side = store.plan.chunk
    try:
        with atomic_path(path) as partial, tifffile.TiffWriter(partial, bigtiff=_is_big(store), ome=True) as tiff:
            for level, shape in enumerate(store.shapes):
                tiff.write(
                    _tiles(store, level),
                    shape=shape if depth > 1 else shape[1:],
                    dtype=np.uint8,
                    tile=(side, side),
                    compression="zlib",
                    photometric="minisblack",
                    **_resolution(pixel_size_nm and pixel_size_nm * 2**level),
                    subifds=len(store.shapes) - 1 if level == 0 else None,
                    subfiletype=1 if level else 0,
                    metadata=metadata if level == 0 else None,
                )
    except OSError as error:
        raise write_error(path, error) from error


def write_label_tiff(
    path: str | Path,
    plan: ChunkPlan,
    dtype: type[np.generic],
    bands: Iterable[np.ndarray],
    *,
    name: str,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
    identity: str = "",
) -> None:
    """Write a label image of the output of a plan as a tiled, compressed OME-TIFF of one level.

    Args:
        path: by custom ``*.ome.tif``; it appears when it is whole.
        plan: whose output it is.
        dtype: of the pixels.
        bands: of the rows of each row of chunks (h, W), from the top of the first slice on.
        name: of the image.
        pixel_size_nm: nanometres, if known.
        slice_spacing_nm: distance of slices, nanometres, if known.
        identity: as for `export_tiff`.

    Raises:
        UserError: the disk is full or refuses.
    """
    path = Path(path)
    depth, height, width = plan.shape
    side = plan.chunk
    try:
        big = depth * height * width * np.dtype(dtype).itemsize >= _BIGTIFF_FROM
        with atomic_path(path) as partial, tifffile.TiffWriter(partial, bigtiff=big, ome=True) as tiff:
            tiff.write(
                _cut(bands, side, dtype),
                shape=plan.shape if depth > 1 else (height, width),
                dtype=dtype,
                tile=(side, side),
                compression="zlib",
                photometric="minisblack",
                **_resolution(pixel_size_nm),
                metadata=_ome_metadata(name, depth, pixel_size_nm, slice_spacing_nm, identity),
            )
    except OSError as error:
        raise write_error(path, error) from error


def _cut(bands: Iterable[np.ndarray], side: int, dtype: type[np.generic]) -> Iterator[np.ndarray]:
    """Tiles of bands, from left to right; one at an edge is stored in full."""
    for band in bands:
        for left in range(0, band.shape[1], side):
            pixels = band[:, left : left + side].astype(dtype)
            yield np.pad(pixels, [(0, side - length) for length in pixels.shape])


def _ome_metadata(
    name: str, depth: int, pixel_size_nm: float | None, slice_spacing_nm: float | None, identity: str
) -> dict[str, object]:
    metadata: dict[str, object] = {"axes": "ZYX" if depth > 1 else "YX", "Name": name}
    if identity:
        metadata["UUID"] = str(uuid5(NAMESPACE_OID, f"{identity} {name}"))
    if pixel_size_nm:
        for axis in "XY":
            metadata |= {f"PhysicalSize{axis}": pixel_size_nm, f"PhysicalSize{axis}Unit": "nm"}
    if slice_spacing_nm and depth > 1:
        metadata |= {"PhysicalSizeZ": slice_spacing_nm, "PhysicalSizeZUnit": "nm"}
    return metadata


def _resolution(pixel_size_nm: float | None) -> dict[str, Any]:
    """The pixel size in the TIFF's own tags."""
    per_cm = 1e7 / pixel_size_nm if pixel_size_nm else 1.0
    return {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER" if pixel_size_nm else "NONE"}


def export_nifti(
    store: ScanStore,
    path: str | Path,
    *,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
) -> None:
    """Write level 0 of the mask (0, 255), or of the label image (0, 1 ...), as NIfTI (`write_nifti`).

    A band of rows is held at a time, 64 MiB at most.

    Args:
        store: with level 0 finished.
        path: ``*.nii`` or ``*.nii.gz``; it appears when it is whole.
        pixel_size_nm: nanometres; None where unknown: then a voxel is a cube of side 1, with no unit.
        slice_spacing_nm: distance of slices, nanometres; where it is not known, the pixel size stands in its place.

    Raises:
        UserError: a chunk is missing or damaged, an unknown suffix, or the disk is full or refuses.
    """
    sides = {"pixel_size_nm": pixel_size_nm, "slice_spacing_nm": slice_spacing_nm}
    phases = store.phases if store.labelled else ()
    write_nifti(path, store.plan, np.uint8, _bands(store), **sides, phases=phases)


def _is_big(store: ScanStore) -> bool:
    """Whether the file may outgrow the 4 GiB of a classic TIFF."""
    return sum(depth * height * width for depth, height, width in store.shapes) >= _BIGTIFF_FROM


def _tiles(store: ScanStore, level: int) -> Iterator[np.ndarray]:
    """The chunks of a level, in TIFF's order of tiles: slices, rows, columns."""
    depth, rows, columns = store.grid(level)
    for slice_ in range(depth):
        for row in range(rows):
            for column in range(columns):
                pixels = store.read(level, MASK, (slice_, row, column))
                missing = [(0, store.plan.chunk - side) for side in pixels.shape]
                yield np.pad(pixels, missing)  # a tile at the edge is stored in full


def _bands(store: ScanStore) -> Iterator[np.ndarray]:
    """Level 0 in bands of whole rows (h, W), from the top of the first slice on."""
    depth, height, width = store.shapes[0]
    side = store.plan.chunk
    # a very wide row of chunks is read in several bands: memory stays bounded, at the price of decoding it again
    step = max(1, min(side, _BAND_PIXELS // width))
    for slice_ in range(depth):
        for row in range(0, height, side):
            for top in range(row, min(row + side, height), step):
                yield store.read_area(0, MASK, slice_, slice(top, min(top + step, row + side)))
