"""Where the network's windows lie: a part of the scan and a halo around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor

from pipeline.errors import UserError
from pipeline.networks.inputs import STRIDE
from pipeline.scan.output.plan import ChunkPlan
from pipeline.scan.rectangles import Part, Roi, Window


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
        rows: rows of the scan that are imaged; None: all. Below them nothing is read.
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


def check_imaged(shape: tuple[int, int], rows: int, region: Roi | None, scale: tuple[float, float], name: str) -> None:
    """Check that there is something to segment, before anything is computed.

    Args:
        shape: height and width of the scan (px).
        rows: rows of it that are imaged; an info bar lies below.
        region: region of interest; None: the whole scan.
        scale: pixels of the network's scale to one of the scan, along rows and columns.
        name: of the scan, for messages.

    Raises:
        UserError: the region lies in the info bar, or the scan has a side that is too small for the network.
    """
    if region is not None and rows <= region.y < shape[0]:
        raise UserError(
            f"{name}: the region {region} lies in the info bar, which begins at row {rows}: choose "
            "one above it, or give --info_bar keep if there is no bar"
        )
    height, width = scaled_length(rows, scale[0]), scaled_length(shape[1], scale[1])
    if min(height, width) >= STRIDE:
        return
    size = f"{shape[1]} x {rows} pixels"
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
