"""Where a scan shows no rock: a black border, missing fields, the resin around a section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.data.shading import CELL
from pipeline.scan.cells import Cells

#: a cell is flat where no average of 4 x 4 of its pixels is farther from its mean than white noise would let it be:
#: 6 standard deviations, which a cell of pure noise exceeds once in 500 000
_DEVIATIONS = 6.0
#: noise of resin over the least noise in the scan; more is texture
_MOST_NOISE = 1.5
_QUIETEST = 0.01  # share of the cells that give the least noise


@dataclass(frozen=True)
class EmptyGround:
    """A map of cells of `CELL` pixels.

    Attributes:
        empty: (rows, columns), True where there is no rock; cells at the lower and right border are cut by it.
        shape: the scan's height and width (px).
    """

    empty: np.ndarray
    shape: tuple[int, int]

    def covers(self, top: int, left: int, height: int, width: int) -> bool:
        """Whether a window lies in empty ground with all its pixels."""
        rows = slice(top // CELL, -(-(top + height) // CELL))
        return bool(self.empty[rows, left // CELL : -(-(left + width) // CELL)].all())

    @property
    def share(self) -> float:
        """Empty area over the area of the scan."""
        heights = np.diff([*range(0, self.shape[0], CELL), self.shape[0]])
        widths = np.diff([*range(0, self.shape[1], CELL), self.shape[1]])
        return float(heights @ self.empty @ widths) / (self.shape[0] * self.shape[1])


def find_empty_ground(cells: Cells, blank: np.ndarray | None = None) -> EmptyGround:
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
    """
    if min(cells.shape) < CELL:
        return EmptyGround(np.zeros_like(cells.constant), cells.shape)
    beyond = np.zeros_like(cells.constant) if blank is None else blank
    textured = ~cells.constant & ~beyond & ~cells.unread
    noisy = cells.noise[textured]
    flat = textured & (cells.ratio <= _DEVIATIONS)
    rock = textured & ~flat
    resin = np.zeros_like(flat)
    if rock.any():
        quiet = flat & (cells.noise <= _MOST_NOISE * np.quantile(noisy, _QUIETEST))
        resin = quiet & (cells.mean < np.median(cells.mean[rock]))
    return EmptyGround(_regions_at_the_border(cells.constant | resin, beyond), cells.shape)


def _regions_at_the_border(candidates: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    around = np.ones((3, 3), bool)
    # what lies beyond the scan counts as empty: a frame of three cells, which the opening leaves whole
    padded = np.pad(candidates | beyond, 3, constant_values=True)
    opened = ndimage.binary_opening(padded, around)
    labels, _ = ndimage.label(opened, around)
    kept = labels == labels[0, 0]
    return ndimage.binary_erosion(kept, around, border_value=1)[3:-3, 3:-3] & candidates
