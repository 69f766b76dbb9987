"""MRC files, whose pixels lie behind one header (FIB-SEM and TEM volumes, by mrcfile's reading of the header)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.images.microscope import read_acquisition
from pipeline.images.source import COPY_AGAIN, ImageSource, unreadable
from pipeline.images.storage import RawSource

_HEADER = 1024
_GREY = (np.uint8, np.uint16, np.float32)


def is_mrc(start: bytes) -> bool:
    """Whether the first 212 bytes of a file are those of an MRC 2014."""
    return start[208:211] == b"MAP"


def count_slices(path: Path, name: str) -> int:
    """How many 2-D images an MRC file holds.

    Raises:
        UserError: it is damaged.
    """
    return _header(path, name)[0][0]


def open_mrc(path: Path, *, name: str, page: int | None) -> ImageSource:
    """Open an MRC image, or one slice of a volume (`page`, from 0); rows are in the order of the file.

    Raises:
        UserError: it is damaged, truncated, complex or colour, or a volume without `page`.
    """
    (slices, height, width), dtype, offset = _header(path, name)
    if page is None and slices > 1:
        raise UserError(
            f"{name}: it is a volume of {slices} slices, but one image is needed; choose one with --page 0 to "
            f"{slices - 1}, or give --stack"
        )
    if page is not None and not 0 <= page < slices:
        raise UserError(f"{name}: no slice {page}; choose from 0 to {slices - 1}")
    offset += (page or 0) * math.prod((height, width)) * dtype.itemsize
    scaling = None if dtype.newbyteorder("=") in _GREY else (1.0, 0.0)  # signed and half precision, as float32
    return RawSource(
        name,
        path,
        (height, width),
        dtype,
        offset=offset,
        scaling=scaling,
        page=page,
        acquisition=read_acquisition(path),
    )


def _header(path: Path, name: str) -> tuple[tuple[int, int, int], np.dtype, int]:
    """Shape (slices, rows, columns), type of the pixels and where they begin (bytes)."""
    import mrcfile

    try:
        with mrcfile.open(path, header_only=True, permissive=True) as file:
            header = file.header
            shape = int(header.nz), int(header.ny), int(header.nx)
            offset = _HEADER + int(header.nsymbt)
            dtype = np.dtype(mrcfile.utils.dtype_from_mode(header.mode)).newbyteorder(header.nx.dtype.byteorder)
    except Exception as error:  # mrcfile answers damaged headers with errors of every type
        raise unreadable(name, error) from error
    if min(shape) < 1 or offset < _HEADER:
        raise UserError(f"{name}: its header gives a size of {shape}; {COPY_AGAIN}")
    if dtype.kind not in "iuf":
        raise UserError(f"{name}: its pixel type is {dtype}, but real grey values are needed; save it as TIFF")
    return shape, dtype, offset
