"""A mask or probability that is read where it is looked at: for scans that are too large for memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.engine import ScanStore


class StoredArray:
    """One channel of a segmentation, uint8, as an array that reads the chunks that an index touches.

    It takes integers and slices, and gives NumPy arrays. `dask.array.from_array(result.lazy_mask)` makes a Dask array
    of it, with the segmentation's own chunks.

    Attributes:
        shape: (H, W), of a stack (D, H, W).
        dtype: uint8.
        chunks: shape of a chunk.
    """

    def __init__(self, store: ScanStore, channel: int) -> None:
        self._store, self._channel = store, channel
        self._whole: tuple[int, int, int] = store.plan.shape
        self.shape: tuple[int, ...] = self._whole if self._whole[0] > 1 else self._whole[1:]
        self.dtype = np.dtype(np.uint8)
        side = store.plan.chunk
        block = (1, min(side, self._whole[1]), min(side, self._whole[2]))
        self.chunks: tuple[int, ...] = block[-len(self.shape) :]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<StoredArray {self.shape}, uint8>"

    def __getitem__(self, index: Any) -> np.ndarray:
        places = index if isinstance(index, tuple) else (index,)
        if not all(place is Ellipsis or isinstance(place, (slice, int, np.integer)) for place in places):
            raise IndexError("a stored array takes integers and slices; np.asarray(...) reads the whole of it first")
        if Ellipsis in places:
            at = places.index(Ellipsis)
            places = (*places[:at], *[slice(None)] * (self.ndim - len(places) + 1), *places[at + 1 :])
        if len(places) > self.ndim:
            raise IndexError(f"{len(places)} indices for an array of {self.ndim} axes")
        places = (*places, *[slice(None)] * (self.ndim - len(places)))
        ranges = [_as_range(place, length) for place, length in zip(places, self.shape, strict=True)]
        *of_slices, rows, columns = ranges
        slices = of_slices[0] if of_slices else range(1)
        nothing = np.zeros((0, len(rows), len(columns)), np.uint8)
        pixels = np.stack([self._read(slice_, rows, columns) for slice_ in slices]) if len(slices) else nothing
        dropped = tuple(0 if isinstance(place, (int, np.integer)) else slice(None) for place in places)
        return pixels[dropped] if of_slices else pixels[0][dropped]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        pixels = self[...]
        return pixels if dtype is None else pixels.astype(dtype, copy=False)

    def _read(self, slice_: int, rows: range, columns: range) -> np.ndarray:
        """Rows and columns of a slice, also in steps and backwards."""
        if not (len(rows) and len(columns)):
            return np.zeros((len(rows), len(columns)), np.uint8)
        top, left = min(rows[0], rows[-1]), min(columns[0], columns[-1])
        bottom, right = max(rows[0], rows[-1]) + 1, max(columns[0], columns[-1]) + 1
        area = self._store.read_area(0, self._channel, slice_, slice(top, bottom), slice(left, right))
        return area[np.ix_(np.asarray(rows) - top, np.asarray(columns) - left)]


def _as_range(place: Any, length: int) -> range:
    if isinstance(place, slice):
        return range(*place.indices(length))
    number = int(place)
    if not -length <= number < length:
        raise IndexError(f"index {number} of an axis of {length}")
    number %= length
    return range(number, number + 1)
