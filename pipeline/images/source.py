"""What the engine reads from: one large 2-D image, window by window."""

from __future__ import annotations

import errno
import hashlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError, on_one_line
from pipeline.images.decoders import Decoded, channels_differ
from pipeline.images.files import grey_from
from pipeline.images.microscope import Acquisition

#: what `ImageSource.read` gives; other types of numbers become the last, as in `pipeline.images.files.read_image`
_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))

COPY_AGAIN = "copy it again from the original"


def unreadable(name: str, error: Exception, where: str = "") -> UserError:
    """What to tell the user of an error that a decoder gave.

    Args:
        name: the file as the user gave it, or the source's name.
        error: of any type; decoders answer damaged data with errors of every type.
        where: the part that was read, with a space before it.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ESTALE):
        # pixels may lie in another file, where they were decoded to
        other = error.filename is not None and Path(error.filename).name not in name
        what = "the file is gone, deleted or moved while it was read"
        return UserError(f"{error.filename if other else name}: {what}; put it back and give the same command again")
    return UserError(f"{name}: it is truncated or damaged{where} ({on_one_line(error)}); {COPY_AGAIN}")


class ImageSource(ABC):
    """A 2-D image that may be larger than memory; its grey values are read window by window.

    Reading is safe from several threads at once.

    Attributes:
        path: the file, folder or URL, as the user gave it.
        page: which image of a file of several; None where it holds one.
        shape: height and width (px).
        channels: as stored; `read` returns grey all the same.
        dtype: of what `read` returns: uint8, uint16 or float32, of the machine's byte order.
        block: height and width (px) of what has to be decoded at once to get at one pixel; (1, 1) where any
            window costs no more than itself.
        decoded_whole: whether the file could only be decoded as a whole, which was done when it was opened.
        acquisition: how the image was taken, as far as the file tells; None where nothing was looked up.
        coloured: whether channels differed in what has been read, so that grey was made of colours.
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
        acquisition: Acquisition | None = None,
        palette: np.ndarray | None = None,
        white_is_zero: bool = False,
    ) -> None:
        self.path, self.page = path, page
        self.shape = int(shape[0]), int(shape[1])
        self.channels, self.block, self.acquisition = channels, block, acquisition
        self._palette, self._white_is_zero = palette, white_is_zero
        self.dtype = np.dtype(np.uint8) if palette is not None else np.dtype(dtype).newbyteorder("=")
        if self.dtype not in _DTYPES and self.dtype.kind in "iuf":
            self.dtype = _DTYPES[-1]
        if min(self.shape) < 1:
            raise UserError(f"{self.name}: it has no pixels ({self.size}); export it again")
        if channels > 4:
            raise UserError(f"{self.name}: it has {channels} channels, not grey or RGB(A); save one channel as grey")
        if self.dtype not in _DTYPES:
            what = f"its pixel type is {self.dtype}, but real numbers are needed"
            raise UserError(f"{self.name}: {what}; save it as 8 or 16 bit grey")

    @property
    def pixel_size_nm(self) -> tuple[float, float] | None:
        """Pixel height and width (nm), where the file tells them."""
        return None if self.acquisition is None else self.acquisition.pixel_size_nm

    @property
    def is_palette(self) -> bool:
        """Whether what is stored are indices into a palette."""
        return self._palette is not None

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

        Colour becomes grey as in `read_image`, pixel by pixel, so that a window does not depend on
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
            UserError: this part of the file is missing or damaged, or holds NaN or infinite values.
        """
        inside = 0 <= top < top + height <= self.shape[0] and 0 <= left < left + width <= self.shape[1]
        if not inside:
            raise ValueError(f"window {left},{top},{width},{height} (x, y, width, height) is not inside {self.size}")
        region = f"x {left} to {left + width - 1}, y {top} to {top + height - 1}"
        try:
            window = self._read(top, left, height, width)
        except UserError:
            raise
        except MemoryError as error:
            raise UserError(f"{self.name}: not enough memory to read {region}; give a smaller --chunk_size") from error
        except Exception as error:  # decoders answer damaged data with errors of every type
            raise unreadable(self.name, error, f" in the region {region}") from error
        if window.dtype.kind == "f" and not np.isfinite(window).all():
            rows, columns = np.nonzero(~np.isfinite(window))
            where = f"x {left + columns.min()} to {left + columns.max()}, y {top + rows.min()} to {top + rows.max()}"
            raise UserError(
                f"{self.name}: {len(rows)} pixel{'s are' if len(rows) > 1 else ' is'} NaN or infinite in the region "
                f"{where}, the first that was read; fill them with a grey value, or avoid them with --roi"
            )
        return window

    def fingerprint(self) -> dict[str, Any]:
        """What tells this scan from another or a changed one, cheap for huge files, for JSON.

        Returns:
            `name`, `page`, `bytes`, `modified` (seconds since 1970; None where the storage tells none), `shape`,
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

    def _grey(self, pixels: np.ndarray) -> np.ndarray:
        """Grey values (H, W) of pixels as stored, (H, W) or (H, W, C)."""
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        self.coloured = self.coloured or channels_differ(pixels, self._palette)
        return grey_from(Decoded(pixels, "scan", self._palette, self._white_is_zero), Path(self.path))


_PART = 1 << 16
_PARTS = 64


def file_fingerprint(path: Path) -> dict[str, Any]:
    """Size, time and a hash of samples of a file.

    Up to 4 MiB are hashed whole; of larger files 64 parts of 64 KiB, evenly spread, the first and last bytes among
    them. A change that misses all of them shows in the time of modification.

    Returns:
        `name`, `bytes`, `modified` (seconds since 1970) and `sha256_of_samples`.

    Raises:
        UserError: it is gone.
    """
    try:
        return _fingerprint(path)
    except FileNotFoundError as error:
        raise unreadable(str(path), error) from error


def _fingerprint(path: Path) -> dict[str, Any]:
    status = path.stat()
    digest = hashlib.sha256(str(status.st_size).encode())
    with path.open("rb") as file:
        if status.st_size <= _PART * _PARTS:
            digest.update(file.read())
        else:
            for part in range(_PARTS):
                file.seek(part * (status.st_size - _PART) // (_PARTS - 1))
                digest.update(file.read(_PART))
    return {
        "name": path.name,
        "bytes": status.st_size,
        "modified": status.st_mtime,
        "sha256_of_samples": digest.hexdigest(),
    }
