"""The labels of one image while they are painted: saved within moments, and whole at any time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from scipy.ndimage import find_objects
from scipy.ndimage import label as connected

from pipeline.annotations.values import Meaning
from pipeline.errors import FULL_DISK, FileProblem, UserError
from pipeline.files import atomic_path
from pipeline.images import read_label
from pipeline.images.formats import is_zarr
from pipeline.images.rectangles import Window
from pipeline.label_values import REST_NAMES, UNLABELLED_NAME

#: codes of strokes: what viewers show as nothing, the rest, and from there on the phases
NOTHING, REST = 0, 1
#: labels of more pixels are kept in chunks, of which those that were painted are written
LARGEST_WHOLE = 1 << 24
_CHUNK = 512


class _Pixels(ABC):
    """Label values on the disk."""

    @abstractmethod
    def read(self, window: Window) -> np.ndarray:
        """Values (h, w), uint8."""

    @abstractmethod
    def write(self, window: Window, values: np.ndarray) -> None:
        """Change values; when this returns, they are on the disk."""

    @abstractmethod
    def painted(self, meaning: Meaning) -> list[Window]:
        """As `StrokeStore.painted`."""


class _Whole(_Pixels):
    """A PNG or TIFF, written anew each time."""

    def __init__(self, path: Path, shape: tuple[int, int], empty: int) -> None:
        self.path = path
        self._values = np.full(shape, empty, np.uint8)
        if path.exists():
            found = read_label(path)
            if found.shape[1] != shape[1] or len(found) > shape[0] or found.max(initial=0) > 255:
                what = f"it is {found.shape[1]}x{len(found)} pixels, but its image is {shape[1]}x{shape[0]}"
                raise FileProblem(path, what, "move it away, or export it at the size of the image")
            self._values[: len(found)] = found  # it may have been drawn without an info bar

    def read(self, window: Window) -> np.ndarray:
        return self._values[_slices(window)].copy()

    def write(self, window: Window, values: np.ndarray) -> None:
        before = self._values[_slices(window)].copy()
        self._values[_slices(window)] = values
        try:
            with atomic_path(self.path) as partial:
                if self.path.suffix.lower() == ".png":
                    Image.fromarray(self._values).save(partial, compress_level=1)
                else:
                    tifffile.imwrite(partial, self._values, compression="zlib")
        except BaseException:  # what is in memory is what is on the disk
            self._values[_slices(window)] = before
            raise

    def painted(self, meaning: Meaning) -> list[Window]:
        return [Window(0, 0, *self._values.shape)] if codes_of(self._values, meaning).any() else []


class _Chunked(_Pixels):
    """A Zarr, of which the chunks that were painted are written."""

    def __init__(self, path: Path, shape: tuple[int, int], empty: int) -> None:
        import zarr

        self.path = path
        if path.exists():
            self._array: Any = zarr.open(path, mode="r+")
        else:
            # zarr 2, which knows no other format, has no name for it
            format_2: dict[str, Any] = {"zarr_format": 2} if int(zarr.__version__.partition(".")[0]) > 2 else {}
            # made beside its name, and renamed: half a folder would be no label
            with atomic_path(path) as partial:
                zarr.open(
                    partial, mode="w", shape=shape, chunks=(_CHUNK, _CHUNK), dtype="uint8", fill_value=empty,
                    **format_2,
                )  # fmt: skip
            self._array = zarr.open(path, mode="r+")
        if not hasattr(self._array, "chunks") or tuple(self._array.shape) != shape:
            raise FileProblem(path, "it is not a label of the image's size", "move it away")

    def read(self, window: Window) -> np.ndarray:
        return np.asarray(self._array[_slices(window)])

    def write(self, window: Window, values: np.ndarray) -> None:
        self._array[_slices(window)] = values

    def painted(self, meaning: Meaning) -> list[Window]:
        height, width = self._array.shape
        chunks = np.zeros((-(-height // _CHUNK), -(-width // _CHUNK)), bool)
        for row in range(len(chunks)):
            band = codes_of(self._array[row * _CHUNK : (row + 1) * _CHUNK], meaning) != NOTHING
            chunks[row] = np.logical_or.reduceat(band.any(axis=0), np.arange(0, width, _CHUNK))
        found = []
        for rows, columns in _boxes(chunks):
            top, left = rows.start * _CHUNK, columns.start * _CHUNK
            bottom, right = min(rows.stop * _CHUNK, height), min(columns.stop * _CHUNK, width)
            found.append(Window(top, left, bottom - top, right - left))
        return found


def _boxes(chunks: np.ndarray) -> list[tuple[slice, slice]]:
    """Boxes, of which no two touch, around the chunks that are true (h, w)."""
    while True:
        boxes = find_objects(connected(chunks, np.ones((3, 3), int))[0])
        filled = chunks.copy()
        for box in boxes:
            filled[box] = True
        if (filled == chunks).all():
            return boxes
        chunks = filled


def _slices(window: Window) -> tuple[slice, slice]:
    return slice(window.top, window.top + window.height), slice(window.left, window.left + window.width)


class StrokeStore:
    """The strokes of one image, as codes: `NOTHING`, `REST`, and `REST` + k for phase k, from 1.

    Only what was changed is written; label values of which several mean the same stay as they are.

    Args:
        path: of the label: an existing file or Zarr, or where one shall be made.
        shape: (H, W) of the image (px).
        meaning: of label values.

    Raises:
        UserError: the label is of another size, or can't be read.
    """

    def __init__(self, path: Path, shape: tuple[int, int], meaning: Meaning) -> None:
        self.path, self.shape, self.meaning = path, shape, meaning
        chunked = is_zarr(path) if path.exists() else path.suffix == ".zarr"
        self._pixels: _Pixels = (_Chunked if chunked else _Whole)(path, shape, meaning.unlabelled)
        self._lock = threading.Lock()

    def read(self, window: Window) -> np.ndarray:
        """Codes (h, w), uint8, of a window."""
        with self._lock:
            return codes_of(self._pixels.read(window), self.meaning)

    def painted(self) -> list[Window]:
        """Windows that hold all strokes, none of them across two: of a large image, the chunks that were painted on."""
        with self._lock:
            return self._pixels.painted(self.meaning)

    def difference(self, window: Window, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Label values of codes (h, w), and where they are others than those on the disk, truth values."""
        return values_of(codes, self.meaning), codes != self.read(window)

    def paint(self, window: Window, values: np.ndarray, where: np.ndarray) -> None:
        """Put label values (h, w) into a window where a mask (h, w) is true; as `write`."""
        codes = self.read(window)
        codes[where] = codes_of(values[where], self.meaning)
        self.write(window, codes)

    def write(self, window: Window, codes: np.ndarray) -> bool:
        """Change a window to codes (h, w); when this returns, they are on the disk.

        Returns:
            Whether anything was changed.

        Raises:
            UserError: the disk is full or refuses. What was there stays; nothing is lost as long as it is tried again.
        """
        with self._lock:
            values = self._pixels.read(window)
            changed = codes_of(values, self.meaning) != codes
            if not changed.any():
                return False
            values[changed] = values_of(codes[changed], self.meaning)
            try:
                self._pixels.write(window, values)
            except OSError as error:
                full = error.errno in FULL_DISK
                why = "no space left on the disk" if full else f"{error.strerror or error}"
                raise UserError(
                    f"{self.path}: the strokes can't be saved ({why}); they are kept in the window, and are saved when "
                    "there is space"
                    if full
                    else f"{self.path}: the strokes can't be saved ({why})"
                ) from error
            return True


def label_name(stem: str, shape: tuple[int, int]) -> str:
    """The name of the label of an image (H, W) that has none yet."""
    return f"{stem}{'.zarr' if shape[0] * shape[1] > LARGEST_WHOLE else '.png'}"


def names_of_codes(meaning: Meaning) -> dict[int, str]:
    """What the codes of strokes mean, by code, without `NOTHING`."""
    return {REST: REST_NAMES[0], **dict(enumerate(meaning.values.names, start=REST + 1))}


def codes_of(values: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Codes of strokes, uint8, of label values (H, W)."""
    table = np.full(256, REST, np.uint8)
    for number, of_phase in enumerate(meaning.values.values, start=REST + 1):
        table[list(of_phase)] = number
    table[list(meaning.values.unlabelled)] = NOTHING
    return table[values]


def values_of(codes: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Label values, uint8, of codes of strokes, of any shape."""
    table = np.full(256, meaning.unlabelled, np.uint8)
    for code, name in names_of_codes(meaning).items():
        table[code] = meaning.value(name)
    table[NOTHING] = meaning.value(UNLABELLED_NAME)
    return table[codes]
