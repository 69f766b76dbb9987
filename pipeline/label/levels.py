"""An image of any size as napari shows it: levels of which only what is in view is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.images import ImageSource, open_only_image

#: side of the coarsest level at most (px): it is read whole, when the image is opened
COARSEST = 1024
#: pixels of the image that are read at once for a coarser level
_AT_ONCE = 1 << 24


class Level:
    """A level of an image, as an array that is read where it is indexed.

    Args:
        source: the image, which stays open.
        step: pixels of the image to one of the level, along each side; those left out are not averaged.
    """

    ndim = 2

    def __init__(self, source: ImageSource, step: int) -> None:
        self._source, self._step = source, step
        self.shape = tuple(-(-length // step) for length in source.shape)
        self.dtype = np.dtype(source.dtype)
        self._whole: np.ndarray | None = None

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if self._whole is None and max(self.shape) <= COARSEST:
            self._whole = self._read(slice(None), slice(None))
        if self._whole is not None:
            return self._whole[index]
        rows, columns = (*(index if isinstance(index, tuple) else (index,)), slice(None))[:2]
        spans = [slice(one, one + 1) if isinstance(one, (int, np.integer)) else one for one in (rows, columns)]
        found = self._read(*spans)
        dropped = tuple(0 if isinstance(one, (int, np.integer)) else slice(None) for one in (rows, columns))
        return found[dropped]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:, :], dtype)

    def _read(self, rows: slice, columns: slice) -> np.ndarray:
        """Pixels of the level; of the image, some rows are in memory at a time."""
        (top, bottom, down), (left, right, across) = rows.indices(self.shape[0]), columns.indices(self.shape[1])
        step, (high, wide) = self._step, self._source.shape
        x, width = left * step, min(wide, right * step) - left * step
        if bottom <= top or width <= 0:
            return np.zeros((max(0, bottom - top), max(0, right - left)), self.dtype)[::down, ::across]
        bands = []
        at_once = max(1, _AT_ONCE // (width * step))
        for first in range(top, bottom, at_once):
            last = min(bottom, first + at_once)
            height = min(high, last * step) - first * step
            # a copy: a view would keep all that was read
            bands.append(self._source.read(first * step, x, height, width)[::step, ::step].copy())
        return np.concatenate(bands)[::down, ::across]


class ImageLevels:
    """An image, opened for napari; to be closed.

    Attributes:
        source: the image.
        levels: from fine to coarse.
    """

    def __init__(self, path: Path) -> None:
        self.source = open_only_image(path)
        steps = [1]
        while max(self.source.shape) / steps[-1] > COARSEST:
            steps.append(2 * steps[-1])
        self.levels = [Level(self.source, step) for step in steps]

    @property
    def limits(self) -> tuple[float, float]:
        """Grey levels that are shown as black and white, from the coarsest level."""
        low, high = np.percentile(np.asarray(self.levels[-1], np.float32), (0.5, 99.5))
        return (float(low), float(high)) if high > low else (float(low), float(low) + 1)

    @property
    def pixel_size_nm(self) -> tuple[float, float] | None:
        """Height and width of a pixel (nm), if known."""
        return self.source.acquisition.pixel_size_nm

    def close(self) -> None:
        """Reading is over."""
        self.source.close()
