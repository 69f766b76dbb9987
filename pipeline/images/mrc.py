"""MRC files, whose pixels lie behind one header (FIB-SEM and TEM volumes, by mrcfile's reading of the header)."""

from __future__ import annotations

import math

import numpy as np

from pipeline.errors import FileProblem
from pipeline.images.failures import COPY_AGAIN
from pipeline.images.image_file import ImageFile
from pipeline.images.source import ImageSource
from pipeline.images.storage import RawSource

_HEADER = 1024


class MrcFile(ImageFile):
    """The images of an MRC file; rows are in the order of the file."""

    def _look(self) -> None:
        import mrcfile

        with mrcfile.open(self.path, header_only=True, permissive=True) as file:
            header = file.header
            self.count, *shape = int(header.nz), int(header.ny), int(header.nx)
            self._offset = _HEADER + int(header.nsymbt)
            self._dtype = np.dtype(mrcfile.utils.dtype_from_mode(header.mode)).newbyteorder(header.nx.dtype.byteorder)
        if min(self.count, *shape) < 1 or self._offset < _HEADER:
            raise FileProblem(self.name, f"its header gives a size of {(self.count, *shape)}", COPY_AGAIN)
        self._shape, self.holds = tuple(shape), f"{self.count} slices"

    def image(self, index: int, page: int | None) -> ImageSource:
        """One slice, from 0."""
        offset = self._offset + index * math.prod(self._shape) * self._dtype.itemsize
        return RawSource(self.name, self.path, self._shape, self._dtype, offset=offset, page=page, stored=self.stored)
