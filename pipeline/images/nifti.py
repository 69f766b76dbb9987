"""NIfTI files, whose pixels lie behind one header: slices are read from the file without loading the volume."""

from __future__ import annotations

import gzip
import math
import shutil
from pathlib import Path
from typing import Any

import nibabel

from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.images.microscope import read_acquisition
from pipeline.images.source import ImageSource, file_fingerprint, unreadable
from pipeline.images.storage import RawSource
from pipeline.images.tiff import no_volume
from pipeline.images.whole import MOST_IN_MEMORY, log

_GZIP = b"\x1f\x8b"
_HEADERS = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}


class NiftiVolume:
    """The slices of a NIfTI file along all axes after the first two, which are x and y.

    Args:
        path: the file; where it is compressed it is decoded here.
        name: the path as the user gave it.
        spill_dir: where a large decoded file goes, for this run and later ones; without it, it stays in memory.

    Attributes:
        slices: their number.
        no_volume: why they are not the slices of one volume, and what to do; None where they are.

    Raises:
        UserError: it is damaged or truncated.
    """

    def __init__(self, path: Path, *, name: str, spill_dir: Path | None) -> None:
        self._name, self._path = name, path
        self._storage: Path | bytes = path
        with path.open("rb") as file:
            self._compressed = file.read(2) == _GZIP
        try:
            self._read_header()
            if self._compressed:
                self._storage = self._decompressed(spill_dir)
        except UserError:
            raise
        except MemoryError as error:
            raise UserError(f"{name}: not enough memory to decode the whole file; save it as .nii") from error
        except Exception as error:  # nibabel and gzip answer damaged data with errors of every type
            raise unreadable(name, error) from error

    def source(self, index: int, *, page: int | None) -> ImageSource:
        """One slice, from 0; `page` is what it is called by in messages."""
        width, height = self._shape[:2]
        pixels = (height, width) if self._dtype.names is None else (height, width, len(self._dtype.names))
        dtype = self._dtype if self._dtype.names is None else self._dtype[0]
        options: dict[str, Any] = {"page": page, "acquisition": self._acquisition, "scaling": self._scaling}
        offset = self._offset + index * math.prod(pixels) * dtype.itemsize
        return RawSource(
            self._name, self._storage, pixels, dtype, offset=offset, decoded_whole=self._compressed,
            stored_fingerprint=file_fingerprint(self._path), **options,
        )  # fmt: skip

    def _read_header(self) -> None:
        with gzip.open(self._path) if self._compressed else self._path.open("rb") as file:
            start = file.read(4)
            sizes = {int.from_bytes(start, "little"), int.from_bytes(start, "big")} & set(_HEADERS)
            if not sizes:
                what = "its content is not NIfTI" + (", though it is compressed with gzip" if self._compressed else "")
                raise UserError(f"{self._name}: {what}; decompress it, or save it as PNG or TIFF")
            file.seek(0)
            header = _HEADERS[sizes.pop()].from_fileobj(file)
        if not header["magic"].item().startswith(b"n+"):
            raise UserError(f"{self._name}: its pixels are in another file (.img); save both as one .nii")
        self._shape = tuple(int(n) for n in header.get_data_shape())
        if len(self._shape) < 2 or min(self._shape) < 1:
            raise UserError(f"{self._name}: it holds an array of shape {self._shape}, not an image; export it again")
        self.slices = math.prod(self._shape[2:])
        several = len(self._shape) > 3 and self._shape[2] > 1  # else some writers put slices along the axis of time
        self.no_volume = no_volume(zip("ztuvw", self._shape[2:], strict=False), self.slices) if several else None
        self._dtype, self._offset = header.get_data_dtype(), int(header.get_data_offset())
        slope, intercept = header.get_slope_inter()
        self._scaling = None if slope in (None, 1.0) and intercept in (None, 0.0) else (slope, intercept or 0.0)
        self._acquisition = read_acquisition(self._path)
        self._bytes = self._offset + math.prod(self._shape) * self._dtype.itemsize

    def _decompressed(self, spill_dir: Path | None) -> Path | bytes:
        key = file_fingerprint(self._path)["sha256_of_samples"][:16]
        file = None if spill_dir is None else spill_dir / f"decoded-{key}-{self._path.stat().st_mtime_ns}.nii"
        if file is not None and file.exists():
            return file
        log.info("%s must be decompressed as a whole: %.1f GB", self._name, self._bytes / 1e9)
        with gzip.open(self._path) as stream:
            if file is None or self._bytes <= MOST_IN_MEMORY:
                data = stream.read(self._bytes)
                while stream.read(1 << 20):  # the checksum stands at the end
                    pass
                return data
            log.info("%s: decompressed to %s", self._name, file)
            with atomic_path(file) as temporary, temporary.open("wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
            return file


def open_nifti(path: Path, *, name: str, page: int | None, spill_dir: Path | None) -> ImageSource:
    """Open a NIfTI image, or one slice of a volume (`page`, from 0).

    Raises:
        UserError: it is damaged or truncated, or a volume without `page`.
    """
    volume = NiftiVolume(path, name=name, spill_dir=spill_dir)
    if page is None and volume.slices > 1:
        raise UserError(
            f"{name}: it is a volume of {volume.slices} slices, but one image is needed; choose one with --page 0 to "
            f"{volume.slices - 1}" + ("" if volume.no_volume else ", or give --stack")
        )
    if page is not None and not 0 <= page < volume.slices:
        raise UserError(f"{name}: no slice {page}; choose from 0 to {volume.slices - 1}")
    return volume.source(page or 0, page=page)
