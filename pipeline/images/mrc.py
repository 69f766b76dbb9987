"""MRC files, whose pixels lie behind one header (FIB-SEM and TEM volumes, by mrcfile's reading of the header)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipeline.errors import FileProblem
from pipeline.images.failures import COPY_AGAIN
from pipeline.images.image_file import ImageFile
from pipeline.images.source import ImageSource
from pipeline.images.storage import RawSource

_HEADER = 1024
#: IMOD's mark in the bytes 152 to 155 of the header; the flags behind it have bit 0 set where bytes are signed
_IMOD_STAMP, _STAMP_AT = 1146047817, 40  # in `extra2`, which begins at byte 112
#: pixels that show whether numbers have a sign, and slices that they are of
_SAMPLE, _SLICES = 1 << 20, 5
#: by how much less neighbours must differ for that to be evidence
_SMOOTHER = 0.8


class MrcFile(ImageFile):
    """The images of an MRC file; rows are in the order of the file."""

    def _look(self) -> None:
        import mrcfile

        with mrcfile.open(self.path, header_only=True, permissive=True) as file:
            header = file.header
            self.count, *shape = int(header.nz), int(header.ny), int(header.nx)
            self._offset = _HEADER + int(header.nsymbt)
        try:
            said = np.dtype(mrcfile.utils.dtype_from_mode(header.mode))
        except ValueError as error:
            what = f"its pixels are of mode {int(header.mode)}, which is not read here"
            raise FileProblem(
                self.name, what, "save it with mode 1, 2 or 6 (16-bit or real numbers), or as TIFF"
            ) from error
        self._dtype = said.newbyteorder(header.nx.dtype.byteorder)
        if min(self.count, *shape) < 1 or self._offset < _HEADER:
            raise FileProblem(self.name, f"its header gives a size of {(self.count, *shape)}", COPY_AGAIN)
        self._shape, self.holds = tuple(shape), f"{self.count} slices"
        self._doubts = (*self._settle_sign(header), *_turned(header))

    def image(self, index: int, page: int | None) -> ImageSource:
        """One slice, from 0."""
        return RawSource(
            self.name, self.path, self._shape, self._dtype, offset=self._at(index), page=page, stored=self.stored,
            doubts=self._doubts,
        )  # fmt: skip

    def _at(self, index: int) -> int:
        return self._offset + index * math.prod(self._shape) * self._dtype.itemsize

    def _settle_sign(self, header: Any) -> tuple[str, ...]:
        """Decide whether whole numbers of 8 or 16 bits have a sign, where the file contradicts its mode.

        Mode 0 was unsigned before the standard of 2014, and many programs write it so still.

        Returns:
            What was decided, and why; nothing where it is as the mode says.
        """
        said = self._dtype
        if said.kind not in "iu" or said.itemsize > 2:
            return ()
        other = np.dtype(("u" if said.kind == "i" else "i") + str(said.itemsize)).newbyteorder(said.byteorder)
        if not (data := self._sample()):
            return ()  # truncated, which opening an image reports
        reason = _reason_for(other, said, data, header, self._shape[1])
        if reason is None and self.stored and said.kind == "i" and np.frombuffer(data, said).min() < 0:
            reason = "it is a mask, whose values are not negative"
        if reason is None:
            return ()
        self._dtype = other
        kinds = ("unsigned", "signed") if other.kind == "u" else ("signed", "unsigned")
        return (f"MRC header: its numbers are read as {kinds[0]}, for {reason}; its mode says {kinds[1]}",)

    def _sample(self) -> bytes:
        """Whole rows of some slices, as one of them may be empty."""
        slices = np.unique(np.linspace(0, self.count - 1, _SLICES).round().astype(np.int64))
        rows = max(1, min(self._shape[0], _SAMPLE // len(slices) // self._shape[1]))
        wanted, data = rows * self._shape[1] * self._dtype.itemsize, b""
        with self.path.open("rb") as file:
            for index in slices:
                file.seek(self._at(int(index)))
                part = file.read(wanted)
                data += part if len(part) == wanted else b""
        return data


def _turned(header: Any) -> tuple[str, ...]:
    """A doubt where columns, rows and slices of the file are not x, y and z; 0 is left open."""
    axes = [int(header[name]) for name in ("mapc", "mapr", "maps")]
    if axes in ([1, 2, 3], [0, 0, 0]) or sorted(axes) != [1, 2, 3]:
        return ()
    lie = ", ".join(
        f"{what} along {'xyz'[axis - 1]}" for what, axis in zip(("columns", "rows", "slices"), axes, strict=True)
    )
    return (f"MRC header: it has {lie} (MAPC, MAPR, MAPS); its images are read as they are stored",)


def _reason_for(other: np.dtype, said: np.dtype, data: bytes, header: Any, width: int) -> str | None:
    """The evidence that numbers have another type than the mode says; None where there is none."""
    low, high = float(header.dmin), float(header.dmax)
    if low < high:
        fits = [_fits(np.frombuffer(data, dtype), low, high) for dtype in (said, other)]
        if fits[0] != fits[1]:
            return f"its minimum and maximum are {low:g} and {high:g}" if fits[1] else None
    stamp, flags = np.frombuffer(
        header.extra2.tobytes()[_STAMP_AT : _STAMP_AT + 8], np.dtype("i4").newbyteorder(header.nx.dtype.byteorder)
    )
    if said.itemsize == 1 and stamp == _IMOD_STAMP:
        return None if bool(flags & 1) == (said.kind == "i") else "IMOD's flags say so"
    rough = [_roughness(np.frombuffer(data, dtype), width) for dtype in (said, other)]
    return "neighbouring pixels are more alike so" if rough[1] < _SMOOTHER * rough[0] else None


def _fits(pixels: np.ndarray, low: float, high: float) -> bool:
    """Whether the header's minimum and maximum are possible in this type, and hold for these pixels."""
    limits = np.iinfo(pixels.dtype)
    return limits.min <= low and high <= limits.max and low <= pixels.min() and pixels.max() <= high


def _roughness(pixels: np.ndarray, width: int) -> float:
    """Mean difference of neighbours in a row."""
    rows = pixels[: len(pixels) // width * width].reshape(-1, width).astype(np.int32)
    return float(np.abs(np.diff(rows, axis=1)).mean()) if rows.size and width > 1 else 0.0
