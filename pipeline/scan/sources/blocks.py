"""Scans that are stored in blocks (tiles, strips, chunks), each of which is decoded as a whole."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import OrderedDict
from typing import Any

import numpy as np

from pipeline.scan.sources.source import ScanSource

#: decoded blocks that are kept, for neighbouring windows share them (bytes)
CACHE_BYTES = 64 << 20


class BlockCache:
    """The blocks that were used last, up to a number of bytes; safe from several threads."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._blocks: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What is held now (bytes)."""
        return self._bytes

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


class BlockSource(ScanSource):
    """A grid of blocks; blocks at the lower and right border may reach beyond the scan or stop at it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # two blocks at least, where windows straddle them
        self._cache = BlockCache(max(CACHE_BYTES, 2 * self.block[0] * self.block[1] * self.dtype.itemsize))

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        window = np.empty((height, width), self.dtype)
        high, wide = self.block
        for row in range(top // high, (top + height - 1) // high + 1):
            for column in range(left // wide, (left + width - 1) // wide + 1):
                block = self._cached(row, column)
                first, begin = max(top, row * high), max(left, column * wide)
                last, end = min(top + height, (row + 1) * high), min(left + width, (column + 1) * wide)
                part = block[first - row * high : last - row * high, begin - column * wide : end - column * wide]
                if part.shape != (last - first, end - begin):
                    raise ValueError(f"block {row}, {column} is of {block.shape}")
                window[first - top : last - top, begin - left : end - left] = part
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
        """Grey values of one block of the grid."""
