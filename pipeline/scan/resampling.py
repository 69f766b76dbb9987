"""A scan at another pixel size: the same value for the same place, whatever window it is read in."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from pipeline.scan.sources import ScanSource
from pipeline.scan.windows import Windows


def axis_weights(
    start: int, count: int, scale: float, length: int, limit: tuple[int, int] | None = None
) -> tuple[int, int, sparse.csr_array]:
    """How pixels of a resampled axis are made from those of the original.

    Pixel i of the result lies at (i + 0.5) / scale - 0.5 of the original. It is the average of its neighbours weighted
    by a triangle as wide as a pixel of the coarser of both: linear interpolation where the result is finer, and no
    aliasing where it is coarser (the filter of Pillow's and torch's antialiased `bilinear`). Beyond the ends of the
    original, its last pixels are repeated.

    Args:
        start: first pixel of the result.
        count: number of pixels of the result.
        scale: pixels of the result to one of the original.
        length: pixels of the whole original.
        limit: first pixel and number of pixels of the original that are available; None: all that are needed.

    Returns:
        First pixel and number of pixels of the original that the matrix takes, and the matrix (count, number).
    """
    reach = max(1.0, 1 / scale)
    centres = (np.arange(start, start + count) + 0.5) / scale - 0.5
    taps = np.arange(int(np.ceil(2 * reach)) + 1)
    places = np.floor(centres - reach).astype(np.int64)[:, None] + taps + 1
    weights = np.maximum(0.0, 1 - np.abs(places - centres[:, None]) / reach)
    weights /= weights.sum(1, keepdims=True)
    places = np.clip(places, 0, length - 1)
    first = int(places.min()) if limit is None else limit[0]
    number = int(places.max()) + 1 - first if limit is None else limit[1]
    rows = np.repeat(np.arange(count), len(taps))
    columns = np.clip(places - first, 0, number - 1).ravel()
    matrix = sparse.csr_array((weights.ravel().astype(np.float32), (rows, columns)), shape=(count, number))
    return first, number, matrix


class Rescaled(ScanSource):
    """A source at another pixel size, resampled as it is read.

    Args:
        source: the scan as it is; its owner closes it.
        scale: pixels of the result to one of the source, along rows and columns.
        shape: height and width of the result (px).
    """

    def __init__(self, source: ScanSource, scale: tuple[float, float], shape: tuple[int, int]) -> None:
        block = tuple(max(1, round(side * factor)) for side, factor in zip(source.block, scale, strict=True))
        super().__init__(source.path, shape, np.dtype(np.float32), page=source.page, block=(block[0], block[1]))
        self._source, self._scale = source, scale

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        first_row, rows, down = axis_weights(top, height, self._scale[0], self._source.shape[0])
        first_column, columns, across = axis_weights(left, width, self._scale[1], self._source.shape[1])
        window = self._source.read(first_row, first_column, rows, columns).astype(np.float32)
        return resampled(window, down, across)

    def _stored(self) -> dict[str, Any]:
        return self._source.fingerprint()


def resampled(pixels: np.ndarray, down: sparse.csr_array, across: sparse.csr_array) -> np.ndarray:
    """Pixels (H, W) by the matrices of both axes, (H', H) and (W', W), to (H', W')."""
    result: np.ndarray = np.ascontiguousarray((across @ (down @ pixels).T).T)
    return result


def at_network_scale(source: ScanSource, windows: Windows) -> ScanSource:
    """A slice as the network sees it."""
    return source if windows.scale == (1, 1) else Rescaled(source, windows.scale, windows.shape)
