"""One channel of the output as a single file: OME-TIFF or NIfTI."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile

from pipeline.atomic import atomic_path
from pipeline.errors import UserError
from pipeline.scan.output.durable import write_error
from pipeline.scan.output.store import CHANNELS, ScanStore

_BIGTIFF_FROM = 1 << 31  # bytes; deflate may also make noise a little larger
_BAND_PIXELS = 1 << 26
_NIFTI1_LARGEST = 32767  # its sizes are 16-bit integers


def export_tiff(
    store: ScanStore, path: str | Path, channel: str = "mask", *, pixel_size_nm: float | None = None
) -> None:
    """Write a tiled, compressed OME-TIFF with all levels of the store.

    BigTIFF where the pixels take 2 GiB or more uncompressed. The coarser levels are SubIFDs, where QuPath, Fiji's
    Bio-Formats and tifffile look for them; deflate, as every reader has it. Read tile by tile.

    Args:
        store: finished, with its pyramid.
        path: of the file, by custom ``*.ome.tif``; it appears when it is whole.
        channel: ``mask`` (0, 255) or ``probability`` (0 to 255).
        pixel_size_nm: nanometres, if known.

    Raises:
        UserError: a chunk is missing or damaged, an unknown channel, or the disk is full or refuses.
    """
    at = _channel(channel)
    path = Path(path)
    depth = store.shapes[0][0]
    metadata: dict[str, object] = {"axes": "ZYX" if depth > 1 else "YX", "Name": channel}
    if pixel_size_nm:
        for axis in "XY":
            metadata |= {f"PhysicalSize{axis}": pixel_size_nm, f"PhysicalSize{axis}Unit": "nm"}
    side = store.plan.chunk
    try:
        with atomic_path(path) as partial, tifffile.TiffWriter(partial, bigtiff=_is_big(store), ome=True) as tiff:
            for level, shape in enumerate(store.shapes):
                per_cm = 1e7 / (pixel_size_nm * 2**level) if pixel_size_nm else 1.0
                tiff.write(
                    _tiles(store, level, at),
                    shape=shape if depth > 1 else shape[1:],
                    dtype=np.uint8,
                    tile=(side, side),
                    compression="zlib",
                    photometric="minisblack",
                    resolution=(per_cm, per_cm),
                    resolutionunit="CENTIMETER" if pixel_size_nm else "NONE",
                    subifds=len(store.shapes) - 1 if level == 0 else None,
                    subfiletype=1 if level else 0,
                    metadata=metadata if level == 0 else None,
                )
    except OSError as error:
        raise write_error(path, error) from error


def export_nifti(
    store: ScanStore,
    path: str | Path,
    channel: str = "mask",
    *,
    pixel_size_nm: float | None = None,
    slice_spacing_nm: float | None = None,
) -> None:
    """Write level 0 as NIfTI, x first, with the pixel size in the affine: 3D Slicer and ITK-SNAP show it in scale.

    NIfTI-1, or NIfTI-2 where a side exceeds 32767 pixels. A band of rows is held at a time, 64 MiB at most. The region
    of interest's place in the scan is the origin.

    Args:
        store: with level 0 finished.
        path: ``*.nii`` or ``*.nii.gz``; it appears when it is whole.
        channel: ``mask`` (0, 255) or ``probability`` (0 to 255).
        pixel_size_nm: nanometres; None where unknown: then a pixel is 1, with no unit.
        slice_spacing_nm: distance of slices, nanometres; by default the pixel size.

    Raises:
        UserError: a chunk is missing or damaged, an unknown channel or suffix, or the disk is full or refuses.
    """
    at = _channel(channel)
    path = Path(path)
    if not path.name.endswith((".nii", ".nii.gz")):
        raise UserError(f"{path}: a NIfTI file ends in .nii or .nii.gz")
    shape = store.shapes[0][::-1]
    size = pixel_size_nm / 1000 if pixel_size_nm else 1.0  # NIfTI knows micrometres, not nanometres
    spacing = slice_spacing_nm / 1000 if slice_spacing_nm else size
    affine = np.diag([size, size, spacing, 1.0])
    affine[:2, 3] = np.array(store.plan.region[:2]) * size
    kind = nib.Nifti2Header if max(shape) > _NIFTI1_LARGEST else nib.Nifti1Header
    header = kind()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    header.set_xyzt_units("micron" if pixel_size_nm else "unknown")
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner")
    header.set_slope_inter(1, 0)
    header.set_data_offset(header.single_vox_offset)
    try:
        with atomic_path(path) as partial, partial.open("wb") as raw:
            # no name and time in the gzip header: the same pixels give the same file
            file = gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) if path.suffix == ".gz" else raw
            header.write_to(file)
            for band in _bands(store, at):
                file.write(band.data)
            if file is not raw:
                file.close()
    except OSError as error:
        raise write_error(path, error) from error


def _channel(name: str) -> int:
    if name not in CHANNELS:
        raise UserError(f"channel {name!r}: give one of {', '.join(CHANNELS)}")
    return CHANNELS.index(name)


def _is_big(store: ScanStore) -> bool:
    """Whether the file may outgrow the 4 GiB of a classic TIFF."""
    return sum(depth * height * width for depth, height, width in store.shapes) >= _BIGTIFF_FROM


def _tiles(store: ScanStore, level: int, channel: int) -> Iterator[np.ndarray]:
    """The chunks of a level, in TIFF's order of tiles: slices, rows, columns."""
    depth, rows, columns = store.grid(level)
    for slice_ in range(depth):
        for row in range(rows):
            for column in range(columns):
                pixels = store.read(level, channel, (slice_, row, column))
                missing = [(0, store.plan.chunk - side) for side in pixels.shape]
                yield np.pad(pixels, missing)  # a tile at the edge is stored in full


def _bands(store: ScanStore, channel: int) -> Iterator[np.ndarray]:
    """Level 0 in bands of whole rows (h, W), from the top of the first slice on."""
    depth, height, width = store.shapes[0]
    _, rows, columns = store.grid(0)
    side = store.plan.chunk
    # a very wide row of chunks is read in several bands: memory stays bounded, at the price of decoding it again
    step = max(1, min(side, _BAND_PIXELS // width))
    for slice_ in range(depth):
        for row in range(rows):
            for start in range(0, min(side, height - row * side), step):
                band = np.empty((min(step, side - start, height - row * side - start), width), np.uint8)
                for column in range(columns):
                    pixels = store.read(0, channel, (slice_, row, column))
                    band[:, column * side : column * side + pixels.shape[1]] = pixels[start : start + len(band)]
                yield band
