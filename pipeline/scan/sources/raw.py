"""Scans whose pixels lie uncompressed one after the other, in a file or in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.scan.sources.fingerprint import file_fingerprint
from pipeline.scan.sources.source import COPY_AGAIN, ScanSource, unreadable


class RawSource(ScanSource):
    """Pixels in their order, row by row.

    A file is mapped again for each read: the pages of a lasting map would count as this process's memory, more of
    them with each window.

    Args:
        path: what the user gave.
        storage: the file with the pixels (another one than `path` where it was decoded), or the pixels.
        shape: (H, W), (H, W, C), or (C, H, W) with `planar`.
        dtype: as stored, of either byte order.
        offset: of the first pixel (bytes).
        planar: whether each channel is an image of its own.
        decoded_whole: whether `storage` was made by decoding.
        scaling: slope and intercept that turn stored values into grey values (float32).
        stored_fingerprint: of what the user gave, where that is not a file.
        options: as for `ScanSource`.
    """

    def __init__(
        self,
        path: str,
        storage: Path | np.ndarray | bytes,
        shape: tuple[int, ...],
        dtype: np.dtype,
        *,
        offset: int = 0,
        planar: bool = False,
        decoded_whole: bool = False,
        scaling: tuple[float, float] | None = None,
        stored_fingerprint: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        channels = 1 if len(shape) == 2 else shape[0 if planar else 2]
        grey_dtype = dtype if scaling is None else np.dtype(np.float32)
        height, width = shape[1:] if planar else shape[:2]
        super().__init__(path, (height, width), grey_dtype, channels=channels, **options)
        self.decoded_whole = decoded_whole
        self._storage, self._shape, self._dtype, self._offset = storage, tuple(shape), np.dtype(dtype), offset
        self._planar, self._scaling, self._fingerprint = planar, scaling, stored_fingerprint
        needed = offset + int(np.prod(shape, dtype=object)) * self._dtype.itemsize
        try:
            there = (
                storage.stat().st_size
                if isinstance(storage, Path)
                else len(storage)
                if isinstance(storage, bytes)
                else storage.nbytes
            )
        except OSError as error:
            raise unreadable(self.name, error) from error
        if there < needed:
            raise UserError(f"{self.name}: it is truncated ({needed - there} of its bytes are missing); {COPY_AGAIN}")

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        pixels: np.ndarray
        if isinstance(self._storage, Path):
            pixels = np.memmap(self._storage, self._dtype, "r", self._offset, self._shape)
        else:
            count = int(np.prod(self._shape))
            pixels = np.frombuffer(self._storage, self._dtype, count, self._offset).reshape(self._shape)
        rows, columns = slice(top, top + height), slice(left, left + width)
        window = np.moveaxis(pixels[:, rows, columns], 0, -1) if self._planar else pixels[rows, columns]
        window = np.array(window, self._dtype.newbyteorder("="))  # a copy, so that the map can go
        if self._scaling is not None:
            window = (window * np.float64(self._scaling[0]) + self._scaling[1]).astype(np.float32)
        return self._grey(window)

    def _stored(self) -> dict[str, Any]:
        return self._fingerprint or file_fingerprint(Path(self.path))

    def close(self) -> None:
        """Let go of decoded pixels."""
        if not isinstance(self._storage, Path):
            self._storage = b""
