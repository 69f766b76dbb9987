"""Where the network's windows lie, and a scan at the network's pixel size, the same in whichever window it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any

import numpy as np
from scipy import sparse

from pipeline.errors import UserError
from pipeline.images import ImageSource
from pipeline.images.microscope import Acquisition
from pipeline.images.rectangles import Part, Roi, Rows, Window
from pipeline.networks.inputs import STRIDE
from pipeline.tiling.chunk_plan import ChunkPlan


@dataclass(frozen=True)
class Windows:
    """Windows for the parts of a plan.

    All start on one grid of 16 pixels: those that start elsewhere pool other blocks of pixels. Beyond a region of
    interest the scan itself is read.

    Attributes:
        plan: the chunks.
        halo: pixels of the network's scale around a part that are read, and not kept.
        scale: pixels of the network's scale to one of the scan, along rows and columns.
        uniform: make all windows as large as that of a chunk in the middle, so that they fill batches of one size;
            else those at the border are cut.
        rows: of the scan, to where it is imaged; None: all. Below them nothing is read.
    """

    plan: ChunkPlan
    halo: int
    scale: tuple[float, float] = (1.0, 1.0)
    uniform: bool = False
    rows: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the imaged scan at the network's scale."""
        height = self.plan.height if self.rows is None else self.rows
        return scaled_length(height, self.scale[0]), scaled_length(self.plan.width, self.scale[1])

    def imaged(self, part: Part) -> Part:
        """The rows of a part that are imaged; none at all for one below them."""
        if self.rows is None:
            return part
        left = self.rows - self.plan.region.y - part.y
        return replace(part, height=max(0, min(part.height, left)))

    def around(self, part: Part) -> Window:
        """The window for any imaged part of the output that is not larger than a chunk, at the network's scale.

        It may reach beyond the scan's end, where its border is repeated.
        """
        region = self.plan.region
        top, height = self._span(region.y + part.y, part.height, self.shape[0], self.scale[0])
        left, width = self._span(region.x + part.x, part.width, self.shape[1], self.scale[1])
        return Window(top, left, height, width)

    def _span(self, first: int, count: int, end: int, scale: float) -> tuple[int, int]:
        start, stop = _covered(first, count, scale)
        begin = max(0, _down(start - self.halo))
        if self.uniform:
            longest = _covered(0, self.plan.chunk, scale)[1]
            # parts start anywhere on the grid, unless all are whole multiples of it
            aligned = scale == 1 and not any(offset % STRIDE for offset in (self.plan.region.x, self.plan.region.y))
            length = min(_up(longest + 2 * self.halo + (0 if aligned else 2 * STRIDE)), _up(end))
            return min(begin, _up(end) - length), length
        stop = min(stop + self.halo, end)
        # the network needs a side of 16: at the border of the scan a narrow part takes more from the other side
        while stop - begin < STRIDE and begin >= STRIDE:
            begin -= STRIDE
        return begin, stop - begin


def scaled_length(length: int, scale: float) -> int:
    """Pixels of the network's scale along an axis of the scan."""
    return max(1, round(length * scale))


def check_imaged(shape: tuple[int, int], rows: Rows, region: Roi | None, scale: tuple[float, float], name: str) -> None:
    """Check that there is something to segment, before anything is computed.

    Args:
        shape: height and width of the scan (px).
        rows: rows of it that are imaged; an info bar lies above or below.
        region: region of interest; None: the whole scan.
        scale: pixels of the network's scale to one of the scan, along rows and columns.
        name: of the scan, for messages.

    Raises:
        UserError: the region lies in the info bar, or the scan has a side that is too small for the network.
    """
    if region is not None:
        advice = "or give --info_bar keep if there is no bar"
        lies = f"{name}: the region {region} lies in the info bar"
        if rows.stop <= region.y < shape[0]:
            raise UserError(f"{lies}, which begins at row {rows.stop}: choose one above it, {advice}")
        if region.y + region.height <= rows.first:
            raise UserError(f"{lies}, which ends at row {rows.first}: choose one below it, {advice}")
    height, width = scaled_length(rows.number, scale[0]), scaled_length(shape[1], scale[1])
    if min(height, width) >= STRIDE:
        return
    size = f"{shape[1]} x {rows.number} pixels"
    remedy = "give a larger image"
    if scale != (1, 1):
        size += f" ({width} x {height} at the network's scale)"
        remedy = "check --pixel_size_nm, or give --rescale false or a larger image"
    raise UserError(f"{name}: it has {size}, but the network needs at least {STRIDE} x {STRIDE}: {remedy}")


def _covered(first: int, count: int, scale: float) -> tuple[int, int]:
    """First pixel and end, at the network's scale, of what pixels of the scan are interpolated from."""
    if scale == 1:
        return first, first + count
    reach = max(1.0, scale)
    return floor((first + 0.5) * scale - 0.5 - reach), ceil((first + count - 0.5) * scale - 0.5 + reach) + 1


def _down(place: int) -> int:
    return place // STRIDE * STRIDE


def _up(place: int) -> int:
    return -(-place // STRIDE) * STRIDE


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


class Rescaled(ImageSource):
    """A source at another pixel size, resampled as it is read.

    Args:
        source: the scan as it is; its owner closes it.
        scale: pixels of the result to one of the source, along rows and columns.
        shape: height and width of the result (px).
    """

    def __init__(self, source: ImageSource, scale: tuple[float, float], shape: tuple[int, int]) -> None:
        block = tuple(max(1, round(side * factor)) for side, factor in zip(source.block, scale, strict=True))
        super().__init__(
            source.path, shape, np.dtype(np.float32), page=source.page, block=(block[0], block[1]),
            acquisition=Acquisition(),
        )  # fmt: skip
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


def at_network_scale(source: ImageSource, windows: Windows) -> ImageSource:
    """A slice as the network sees it."""
    return source if windows.scale == (1, 1) else Rescaled(source, windows.scale, windows.shape)
