"""NIfTI files, whose pixels lie behind one header: slices are read from the file without loading the volume."""

from __future__ import annotations

import gzip
import math
import shutil
from pathlib import Path

import nibabel

from pipeline.errors import FileProblem
from pipeline.files import atomic_path
from pipeline.images.image_file import ImageFile, no_volume
from pipeline.images.source import ImageSource, file_fingerprint
from pipeline.images.storage import RawSource
from pipeline.images.whole import MOST_IN_MEMORY, log

_GZIP = b"\x1f\x8b"
_HEADERS = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}


class NiftiFile(ImageFile):
    """The slices of a NIfTI file along all axes after the first two, which are x and y; decoded here if compressed."""

    def _look(self) -> None:
        with self.path.open("rb") as file:
            self._compressed = file.read(2) == _GZIP
        self._read_header()
        self._fingerprint = file_fingerprint(self.path)
        self._storage: Path | bytes = self._decompressed() if self._compressed else self.path

    def image(self, index: int, page: int | None) -> ImageSource:
        """One slice, from 0."""
        width, height = self._shape[:2]
        pixels = (height, width) if self._dtype.names is None else (height, width, len(self._dtype.names))
        dtype = self._dtype if self._dtype.names is None else self._dtype[0]
        offset = self._offset + index * math.prod(pixels) * dtype.itemsize
        return RawSource(
            self.name, self._storage, pixels, dtype, offset=offset, decoded_whole=self._compressed,
            stored_fingerprint=self._fingerprint, page=page, scaling=self._scaling, stored=self.stored,
        )  # fmt: skip

    def _read_header(self) -> None:
        with gzip.open(self.path) if self._compressed else self.path.open("rb") as file:
            start = file.read(4)
            sizes = {int.from_bytes(start, "little"), int.from_bytes(start, "big")} & set(_HEADERS)
            if not sizes:
                what = "its content is not NIfTI" + (", though it is compressed with gzip" if self._compressed else "")
                raise FileProblem(self.name, what, "decompress it, or save it as PNG or TIFF")
            file.seek(0)
            header = _HEADERS[sizes.pop()].from_fileobj(file)
        if not header["magic"].item().startswith(b"n+"):
            raise FileProblem(self.name, "its pixels are in another file (.img)", "save both as one .nii")
        self._shape = tuple(int(n) for n in header.get_data_shape())
        if len(self._shape) < 2 or min(self._shape) < 1:
            what = f"it holds an array of shape {self._shape}, not an image"
            raise FileProblem(self.name, what, "export it again")
        self.count = math.prod(self._shape[2:])
        self.holds = f"a volume of {self.count} slices"
        several = len(self._shape) > 3 and self._shape[2] > 1  # else some writers put slices along the axis of time
        self.no_volume = no_volume(zip("ztuvw", self._shape[2:], strict=False), self.count) if several else None
        self._dtype, self._offset = header.get_data_dtype(), int(header.get_data_offset())
        slope, intercept = header.get_slope_inter()
        self._scaling = None if slope in (None, 1.0) and intercept in (None, 0.0) else (slope, intercept or 0.0)
        self._bytes = self._offset + math.prod(self._shape) * self._dtype.itemsize

    def _decompressed(self) -> Path | bytes:
        file = None
        if self.spill_dir is not None:
            key = self._fingerprint["sha256_of_samples"][:16]
            file = self.spill_dir / f"decoded-{key}-{self.path.stat().st_mtime_ns}.nii"
        if file is not None and file.exists():
            return file
        if self._bytes > MOST_IN_MEMORY:
            log.info("%s must be decompressed as a whole: %.1f GB", self.name, self._bytes / 1e9)
        with gzip.open(self.path) as stream:
            if file is None or self._bytes <= MOST_IN_MEMORY:
                data = stream.read(self._bytes)
                while stream.read(1 << 20):  # the checksum stands at the end
                    pass
                return data
            log.info("%s: decompressed to %s", self.name, file)
            with atomic_path(file) as temporary, temporary.open("wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
            return file
