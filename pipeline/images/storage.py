"""How pixels are stored: one after the other, or in blocks that are decoded as a whole."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.images.failures import truncated, unreadable
from pipeline.images.source import ImageSource, file_fingerprint

#: Of each kind. Decoders, encoders and NumPy let other threads run, and each thread more holds another chunk.
THREADS = 2


class RawSource(ImageSource):
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
        options: as for `ImageSource`.
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
            there = storage.stat().st_size if isinstance(storage, Path) else memoryview(storage).nbytes  # type: ignore[arg-type]
        except OSError as error:
            raise unreadable(self.name, error) from error
        if there < needed:
            raise truncated(self.name, needed - there)

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
        return self._values(window)

    def _stored(self) -> dict[str, Any]:
        return self._fingerprint or file_fingerprint(Path(self.path))

    def close(self) -> None:
        """Let go of decoded pixels."""
        if not isinstance(self._storage, Path):
            self._storage = b""


#: decoded blocks that are kept, for neighbouring windows share them (bytes)
CACHE_BYTES = 64 << 20


class BlockCache:
    """The blocks that were used last, up to a number of bytes; safe from several threads."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._blocks: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[int, int]) -> np.ndarray | None:
        """The block, where it is held."""
        with self._lock:
            if key not in self._blocks:
                return None
            self._blocks.move_to_end(key)
            return self._blocks[key]

    def put(self, key: tuple[int, int], block: np.ndarray) -> None:
        """Hold a block, and let go of those that were used longest ago."""
        with self._lock:
            if key in self._blocks or block.nbytes > self._most:
                return
            self._blocks[key] = block
            self._bytes += block.nbytes
            while self._bytes > self._most:
                self._bytes -= self._blocks.popitem(last=False)[1].nbytes

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._blocks.clear()
            self._bytes = 0


class BlockSource(ImageSource):
    """A grid of blocks; blocks at the lower and right border may reach beyond the scan or stop at it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # two blocks at least, where windows straddle them
        self._cache = BlockCache(max(CACHE_BYTES, 2 * self.block[0] * self.block[1] * self.dtype.itemsize))

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        window = None
        high, wide = self.block
        for row in range(top // high, (top + height - 1) // high + 1):
            for column in range(left // wide, (left + width - 1) // wide + 1):
                block = self._cached(row, column)
                if window is None:
                    window = np.empty((height, width, *block.shape[2:]), block.dtype)
                first, begin = max(top, row * high), max(left, column * wide)
                last, end = min(top + height, (row + 1) * high), min(left + width, (column + 1) * wide)
                part = block[first - row * high : last - row * high, begin - column * wide : end - column * wide]
                if part.shape[:2] != (last - first, end - begin):
                    raise ValueError(f"block {row}, {column} is of {block.shape}")
                window[first - top : last - top, begin - left : end - left] = part
        assert window is not None  # there is a block in every window
        return window

    def _cached(self, row: int, column: int) -> np.ndarray:
        block = self._cache.get((row, column))
        if block is None:
            block = self._block(row, column)
            self._cache.put((row, column), block)
        return block

    def close(self) -> None:
        """Let go of the blocks that are held."""
        self._cache.clear()

    @abstractmethod
    def _block(self, row: int, column: int) -> np.ndarray:
        """The values (`ImageSource._values`) of one block of the grid."""
