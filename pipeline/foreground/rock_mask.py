"""Where one slice of a scan shows rock: empty ground by cells, blank ground to the pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from scipy import ndimage

from pipeline.foreground.blank_ground import SQUARE, BlankGround
from pipeline.foreground.cell_statistics import CellStatistics
from pipeline.foreground.shading import CELL

#: a cell is flat where no average of 4 x 4 of its pixels is farther from its mean than white noise would let it be:
#: 6 standard deviations, which a cell of pure noise exceeds once in 500 000
_DEVIATIONS = 6.0
#: noise of resin over the least noise in the scan; more is texture
_MOST_NOISE = 1.5
_QUIETEST = 0.01  # share of the cells that give the least noise


def find_empty_cells(cells: CellStatistics, blank: np.ndarray | None = None) -> np.ndarray:
    """Find the ground that can't be rock.

    A cell can be empty where it holds one single value, or nothing but noise: noise as little as anywhere in the
    scan, around a grey level darker than that of the cells that are not flat. From these cells, regions are kept
    that reach the border of the scan and are nowhere narrower than three cells, less one cell all around. So a pore
    inside the rock is never taken for resin, however large; a flat mineral is not either, unless it is dark and lies at
    the border. All of this rests on every pixel: what a sample would miss is just what must not be missed.

    Args:
        cells: of the scan.
        blank: (rows, columns), True where a cell holds pixels of blank ground (`BlankGround`), which counts as beyond
            the border here; None: there is none.

    Returns:
        (rows, columns) of cells of `CELL` pixels, True where there is no rock.
    """
    if min(cells.shape) < CELL:
        return np.zeros_like(cells.constant)
    beyond = np.zeros_like(cells.constant) if blank is None else blank
    textured = ~cells.constant & ~beyond & ~cells.unreadable
    noisy = cells.noise[textured]
    flat = textured & (cells.ratio <= _DEVIATIONS)
    rock = textured & ~flat
    resin = np.zeros_like(flat)
    if rock.any():
        quiet = flat & (cells.noise <= _MOST_NOISE * np.quantile(noisy, _QUIETEST))
        resin = quiet & (cells.mean < np.median(cells.mean[rock]))
    return _regions_at_the_border(cells.constant | resin, beyond)


def _regions_at_the_border(candidates: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    around = np.ones((3, 3), bool)
    # what lies beyond the scan counts as empty: a frame of three cells, which the opening leaves whole
    padded = np.pad(candidates | beyond, 3, constant_values=True)
    opened = ndimage.binary_opening(padded, around)
    labels, _ = ndimage.label(opened, around)
    kept = labels == labels[0, 0]
    empty: np.ndarray = ndimage.binary_erosion(kept, around, border_value=1)[3:-3, 3:-3] & candidates
    return empty


Scale = tuple[float, float]


@dataclass(frozen=True)
class RockMask:
    """Rock is what is neither an empty cell nor a blank pixel.

    Attributes:
        empty: (rows, columns) of cells of `CELL` pixels, True for resin and other even ground; cells at the lower and
            right border are cut by it.
        shape: height and width of the slice (px).
        blank: ground of one value, and an info bar on top; None: there is none.
        unreadable: (rows, columns), True where a cell can't be read, which is not needed either; None: there is none.
    """

    empty: np.ndarray
    shape: tuple[int, int]
    blank: BlankGround | None = None
    unreadable: np.ndarray | None = None

    @classmethod
    def everywhere(cls, shape: tuple[int, int], unreadable: np.ndarray | None = None) -> RockMask:
        """Rock in all of a slice of this height and width (px)."""
        return cls(np.zeros([-(-side // CELL) for side in shape], bool), shape, unreadable=unreadable)

    def below(self, first: int) -> RockMask:
        """The same without rock in the rows above `first`, where an info bar lies."""
        bar = BlankGround.rows_above(first, self.shape)
        return replace(self, blank=bar if self.blank is None else self.blank.joined(bar))

    def rock(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Where a window shows rock, (height, width), boolean."""
        rows, columns = (np.arange(start, start + n) // CELL for start, n in ((top, height), (left, width)))
        rock: np.ndarray = ~self.empty[np.ix_(rows, columns)]
        if self.blank is not None and self.blank.touches(top, left, height, width):
            rock &= ~self.blank.window(top, left, height, width)
        return rock

    def is_empty(self, top: int, left: int, height: int, width: int) -> bool:
        """Whether a window shows no rock at all."""
        rows, columns = (slice(start // CELL, -(-(start + n) // CELL)) for start, n in ((top, height), (left, width)))
        if self.empty[rows, columns].all():
            return True
        if self.blank is None or not self.blank.touches(top, left, height, width):
            return False
        return not self.rock(top, left, height, width).any()

    def is_empty_at(self, scale: Scale, top: int, left: int, height: int, width: int) -> bool:
        """As `is_empty`, of a window in pixels of another scale, of which there are so many to one of the slice.

        A window that reaches what can't be read counts as empty: there is nothing to be learned from it.
        """
        y, x = (int(start / factor) for start, factor in zip((top, left), scale, strict=True))
        bottom = min(self.shape[0], int((top + height) / scale[0] + 1))
        right = min(self.shape[1], int((left + width) / scale[1] + 1))
        return self._reaches_unreadable(scale, top, left, height, width) or self.is_empty(y, x, bottom - y, right - x)

    def _reaches_unreadable(self, scale: Scale, top: int, left: int, height: int, width: int) -> bool:
        if self.unreadable is None:
            return False
        cells = []
        for start, count, factor in zip((top, left), (height, width), scale, strict=True):
            # pixels at another scale are interpolated from those beside them, too
            around = 0 if factor == 1 else ceil(max(1.0, 1 / factor)) + 1
            first, end = int(start / factor) - around, ceil((start + count) / factor) + around
            cells.append(slice(max(0, first) // CELL, -(-end // CELL)))
        return bool(self.unreadable[cells[0], cells[1]].any())

    def imaged_at(self, scale: Scale, top: int, left: int, height: int, width: int) -> np.ndarray | None:
        """Pixels of a window, at another scale, that nothing blank is part of, (height, width); None: all of them."""
        if self.blank is None:
            return None
        if scale == (1, 1):
            touched = self.blank.touches(top, left, height, width)
            return ~self.blank.window(top, left, height, width) if touched else None
        # pixels at the edge are mixed from both, also where it lies outside of the window
        margin = ceil(max(1.0, *scale))
        before = min(top, margin), min(left, margin)
        y, x = (
            np.minimum((np.arange(start - more, start + count + margin) + 0.5) / factor, side - 1).astype(np.int64)
            for start, more, count, factor, side in zip(
                (top, left), before, (height, width), scale, self.shape, strict=True
            )
        )
        window = int(y[0]), int(x[0]), int(y[-1] - y[0]) + 1, int(x[-1] - x[0]) + 1
        if not self.blank.touches(*window):
            return None
        blank = self.blank.window(*window)[np.ix_(y - y[0], x - x[0])]
        imaged = ~ndimage.binary_dilation(blank, np.ones((3, 3), bool), margin)
        inside: np.ndarray = imaged[before[0] : before[0] + height, before[1] : before[1] + width]
        return inside

    @property
    def empty_share(self) -> float:
        """Area without rock over that of the slice."""
        heights, widths = (np.diff([*range(0, side, CELL), side]) for side in self.shape)
        area = float(heights @ self.empty @ widths)
        if self.blank is not None:
            few, blank = CELL // SQUARE, self.blank.counts()
            rock = ~self.empty.repeat(few, 0).repeat(few, 1)[: blank.shape[0], : blank.shape[1]]
            area += float(blank[rock].sum())
        return area / (self.shape[0] * self.shape[1])
