"""One 2-D image, read window by window; and the same seen otherwise: a part of it, or other grey values."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import FileProblem, UserError
from pipeline.images.failures import unreadable
from pipeline.images.grey import PLAIN, Encoding, channels_differ, grey_of, label_of
from pipeline.images.microscope import Acquisition, read_acquisition, rows_without_bar
from pipeline.images.rectangles import Roi, Rows

#: what `ImageSource.read` gives; other types of numbers become the last
_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


class ImageSource(ABC):
    """A 2-D image that may be larger than memory; its grey values are read window by window.

    Reading is safe from several threads at once.

    Args:
        path: the file, folder or address, as the user gave it.
        shape: height and width (px).
        dtype: of the numbers that are stored.
        page: which image of a file of several; None where it holds one.
        channels: as stored.
        block: height and width (px) of what has to be decoded at once to get at one pixel; (1, 1) where any window
            costs no more than itself.
        encoding: what the numbers stand for.
        stored: whether `read` gives the numbers as they are stored, for labels, and no grey values.
        acquisition: how the image was taken, where it is known already.
        doubts: what is odd in how the pixels are stored; they join the acquisition's warnings.

    Attributes:
        dtype: of what `read` returns: uint8, uint16 or float32, of the machine's byte order.
        decoded_whole: whether the file could only be decoded as a whole, which was done when it was opened.
        coloured: whether channels differed in what has been read, so that grey was made of colours.

    Raises:
        FileProblem: it has no pixels, more than four channels, or numbers that are not real.
    """

    decoded_whole = False
    coloured = False

    def __init__(
        self,
        path: str,
        shape: tuple[int, int],
        dtype: np.dtype,
        *,
        page: int | None = None,
        channels: int = 1,
        block: tuple[int, int] = (1, 1),
        encoding: Encoding = PLAIN,
        stored: bool = False,
        acquisition: Acquisition | None = None,
        doubts: tuple[str, ...] = (),
    ) -> None:
        self.path, self.page, self.channels, self.block = path, page, channels, block
        self.shape = int(shape[0]), int(shape[1])
        self.encoding, self.stored, self.doubts = encoding, stored, doubts
        if acquisition is not None:
            self.acquisition = acquisition
        narrow = encoding.palette is not None or (encoding.bits or 8) < 8
        self.dtype = np.dtype(np.uint8) if narrow else np.dtype(dtype).newbyteorder("=")
        if self.dtype not in _DTYPES and self.dtype.kind in "iuf":
            self.dtype = _DTYPES[-1]
        if min(self.shape) < 1:
            raise FileProblem(self.name, f"it has no pixels ({self.size})", "export it again")
        if channels > 4:
            raise FileProblem(self.name, f"it has {channels} channels, not grey or RGB(A)", "save one channel as grey")
        if self.dtype not in _DTYPES:
            what = f"its pixel type is {self.dtype}, but real numbers are needed"
            raise FileProblem(self.name, what, "save it as 8 or 16 bit grey")

    @cached_property
    def acquisition(self) -> Acquisition:
        """How the image was taken, as far as the file says; looked up when it is asked for."""
        found = read_acquisition(self.path, image=self.page or 0)
        return replace(found, warnings=(*found.warnings, *self.doubts)) if self.doubts else found

    @property
    def pixel_size_nm(self) -> tuple[float, float] | None:
        """Pixel height and width (nm), where the file gives them."""
        return self.acquisition.pixel_size_nm

    @property
    def name(self) -> str:
        """The path, with the page where there are several."""
        return self.path if self.page is None else f"{self.path} (page {self.page})"

    @property
    def size(self) -> str:
        """Width x height, as image viewers show it."""
        return f"{self.shape[1]} x {self.shape[0]} pixels"

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Read the grey values of a window.

        Each pixel's is made of its own numbers (`pipeline.images.grey.grey_of`), so that a window does not depend on
        what lies around it.

        Args:
            top: its first row.
            left: its first column.
            height: number of rows (px).
            width: number of columns (px).

        Returns:
            (height, width), of the source's `dtype`, the caller's to change.

        Raises:
            ValueError: the window is not inside the scan.
            FileProblem: this part of the file is missing or damaged, or holds NaN or infinite values.
        """
        inside = 0 <= top < top + height <= self.shape[0] and 0 <= left < left + width <= self.shape[1]
        if not inside:
            raise ValueError(f"window {left},{top},{width},{height} (x, y, width, height) is not inside {self.size}")
        region = f"x {left} to {left + width - 1}, y {top} to {top + height - 1}"
        try:
            window = self._read(top, left, height, width)
        except UserError:
            raise
        except Exception as error:  # decoders answer damaged data with errors of every type
            raise unreadable(self.name, error, f" in the region {region}") from error
        if window.dtype.kind == "f" and not self.stored and not np.isfinite(window).all():
            rows, columns = np.nonzero(~np.isfinite(window))
            where = f"x {left + columns.min()} to {left + columns.max()}, y {top + rows.min()} to {top + rows.max()}"
            what = f"{len(rows)} pixel{'s are' if len(rows) > 1 else ' is'} NaN or infinite in the region {where}"
            raise FileProblem(
                self.name, what, "fill them with a grey value, crop them off, or (a scan) leave them out with --roi"
            )
        return window

    def read_all(self) -> np.ndarray:
        """Grey values (H, W) of the whole image; see `read`."""
        return self.read(0, 0, *self.shape)

    def read_classes(self) -> np.ndarray:
        """Classes (H, W) of the whole image, which was opened as it is stored; see `pipeline.images.read_label`."""
        return label_of(self.read_all(), self.encoding, self.name)

    def imaged_rows(self, info_bar: str | int = "auto") -> Rows:
        """The rows without the microscope's info bar; see `rows_without_bar`."""
        return rows_without_bar(info_bar, self.read, self.shape, self.acquisition, self.name)

    def fingerprint(self) -> dict[str, Any]:
        """What identifies this image, and changes with it; cheap for huge files, for JSON.

        Returns:
            `name`, `page`, `bytes`, `modified` (seconds since 1970; None where the storage has no times), `shape`,
            `dtype` and `sha256_of_samples`, a hash of the size and of parts that are spread over the data.
        """
        return {"page": self.page, "shape": list(self.shape), "dtype": self.dtype.name, **self._stored()}

    def describe(self) -> str:
        """One line for the log; the pixel size stands in that of the acquisition."""
        parts = [self.size, self.dtype.name, f"{self.channels} channel" + ("s" if self.channels > 1 else "")]
        if self.decoded_whole:
            parts.append("decoded whole")
        elif self.block != (1, 1):
            parts.append(f"stored in blocks of {self.block[1]} x {self.block[0]} pixels")
        return f"{self.name}: " + ", ".join(parts)

    def close(self) -> None:  # noqa: B027 - many sources hold nothing open
        """Give back what is held open; reading is over."""

    def __enter__(self) -> ImageSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """The window's grey values; any exception means damage."""

    @abstractmethod
    def _stored(self) -> dict[str, Any]:
        """`name`, `bytes`, `modified` and `sha256_of_samples`."""

    def _values(self, pixels: np.ndarray) -> np.ndarray:
        """What `read` gives for stored numbers, (H, W) or (H, W, C)."""
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        if self.stored:
            return pixels
        self.coloured = self.coloured or channels_differ(pixels, self.encoding.palette)
        return grey_of(pixels, self.encoding, self.path)


class _View(ImageSource):
    """A part of a source, or other grey values made of its; closing it closes the source."""

    def __init__(self, source: ImageSource, shape: tuple[int, int]) -> None:
        self._source = source
        super().__init__(
            source.path, shape, source.dtype, page=source.page, channels=source.channels, block=source.block,
            encoding=source.encoding, stored=source.stored, doubts=source.doubts,
        )  # fmt: skip
        self.decoded_whole = source.decoded_whole

    @property
    def coloured(self) -> bool:  # type: ignore[override]
        return self._source.coloured

    @property
    def acquisition(self) -> Acquisition:  # type: ignore[override]
        return self._source.acquisition

    def close(self) -> None:
        self._source.close()


def cropped(source: ImageSource, roi: Roi) -> ImageSource:
    """The part of a source as a source of its own; closing it closes the source.

    Raises:
        UserError: the rectangle reaches beyond the image.
    """
    if roi.x + roi.width > source.shape[1] or roi.y + roi.height > source.shape[0]:
        raise UserError(f"{source.name}: roi {roi} extends beyond the scan, which is {source.size}; give a smaller one")
    return _Cropped(source, roi)


class _Cropped(_View):
    def __init__(self, source: ImageSource, roi: Roi) -> None:
        self._roi = roi
        super().__init__(source, (roi.height, roi.width))

    @property
    def name(self) -> str:
        return f"{super().name}[{self._roi}]"

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        return self._source.read(self._roi.y + top, self._roi.x + left, height, width)

    def _stored(self) -> dict[str, Any]:
        return {**self._source.fingerprint(), "roi": str(self._roi), "shape": list(self.shape)}


def imaged(source: ImageSource, rows: Rows) -> ImageSource:
    """A source that shows only what is imaged; closing it closes the source.

    Places stay those of the source: in rows of an info bar above, the first row that is imaged is repeated, as beyond
    the border of an image; rows of one below are left off.
    """
    if rows.stop < source.shape[0]:
        source = cropped(source, Roi(0, 0, source.shape[1], rows.stop))
    return _BelowBar(source, rows.first) if rows.first else source


class _BelowBar(_View):
    def __init__(self, source: ImageSource, first: int) -> None:
        self._first = first
        super().__init__(source, source.shape)

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        above = min(max(0, self._first - top), height)
        if not above:
            return self._source.read(top, left, height, width)
        below = self._source.read(self._first, left, max(1, top + height - self._first), width)
        return np.concatenate([np.repeat(below[:1], above, axis=0), below[: height - above]])

    def _stored(self) -> dict[str, Any]:
        return self._source.fingerprint()


class ChangedSource(_View):
    """A source with other grey values of the same type; closing it closes the source.

    Args:
        source: the image as it is.
        change: of windows (H, W), each pixel on its own.
    """

    def __init__(self, source: ImageSource, change: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__(source, source.shape)
        self._change = change

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        return self._change(self._source.read(top, left, height, width))

    def _stored(self) -> dict[str, Any]:
        return self._source.fingerprint()


def oriented(source: ImageSource, orientation: object) -> ImageSource:
    """An image as its orientation, a value of TIFF and EXIF from 1 to 8, wants it shown; others count as 1.

    Args:
        source: the image as its rows and columns are stored; closing the result closes it.
        orientation: as stored.
    """
    return _Oriented(source, int(orientation)) if orientation in range(2, 9) else source  # type: ignore[call-overload]


class _Oriented(_View):
    def __init__(self, source: ImageSource, orientation: int) -> None:
        self._orientation, self._transposed = orientation, orientation > 4
        # what is stored is transposed first, and then mirrored
        self._upside_down, self._mirrored = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
        super().__init__(source, source.shape[::-1] if self._transposed else source.shape)
        if self._transposed:
            self.block = source.block[::-1]

    @property
    def acquisition(self) -> Acquisition:  # type: ignore[override]
        found = replace(self._source.acquisition, bar_height=None)  # which is about the rows as they are stored
        if not self._transposed:
            return found
        return replace(found, pixel_height_nm=found.pixel_width_nm, pixel_width_nm=found.pixel_height_nm)

    def describe(self) -> str:
        return f"{super().describe()}, turned or mirrored by its orientation ({self._orientation})"

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        top = self.shape[0] - top - height if self._upside_down else top
        left = self.shape[1] - left - width if self._mirrored else left
        if self._transposed:
            window = self._source.read(left, top, width, height).swapaxes(0, 1)
        else:
            window = self._source.read(top, left, height, width)
        window = window[::-1] if self._upside_down else window
        return np.ascontiguousarray(window[:, ::-1] if self._mirrored else window)

    def _stored(self) -> dict[str, Any]:
        return {**self._source.fingerprint(), "shape": list(self.shape), "orientation": self._orientation}


class WatchedSource(_View):
    """A source that asks before each reading whether it is still wanted; closing it closes the source.

    Args:
        source: the image as it is.
        before_reading: is called in the thread that reads, and may raise.
    """

    def __init__(self, source: ImageSource, before_reading: Callable[[], None]) -> None:
        super().__init__(source, source.shape)
        self._before_reading = before_reading

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        self._before_reading()
        return self._source.read(top, left, height, width)

    def _stored(self) -> dict[str, Any]:
        return self._source.fingerprint()


def inverted(source: ImageSource) -> ImageSource:
    """An image whose pores are bright, with dark and bright exchanged."""
    # whole numbers keep their range, real ones have none
    return ChangedSource(source, lambda window: np.invert(window) if window.dtype.kind == "u" else -window)


_PART = 1 << 16
_PARTS = 64


def file_fingerprint(path: Path) -> dict[str, Any]:
    """Size, time and a hash of samples of a file.

    Up to 4 MiB are hashed whole; of larger files 64 parts of 64 KiB, evenly spread, the first and last bytes among
    them. A change that misses all of them shows in the time of modification.

    Returns:
        `name`, `bytes`, `modified` (seconds since 1970) and `sha256_of_samples`.

    Raises:
        FileProblem: it is gone.
    """
    try:
        status = path.stat()
        digest = hashlib.sha256(str(status.st_size).encode())
        with path.open("rb") as file:
            if status.st_size <= _PART * _PARTS:
                digest.update(file.read())
            else:
                for part in range(_PARTS):
                    file.seek(part * (status.st_size - _PART) // (_PARTS - 1))
                    digest.update(file.read(_PART))
    except FileNotFoundError as error:
        raise unreadable(str(path), error) from error
    return {
        "name": path.name,
        "bytes": status.st_size,
        "modified": status.st_mtime,
        "sha256_of_samples": digest.hexdigest(),
    }
