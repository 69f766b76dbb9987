"""Where a scan shows no rock: a black border, missing fields, the resin around a section."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.scan.sources.source import ScanSource

#: side of a cell of the map (px)
CELL = 128
#: pixels are averaged over squares of this side (px) before they are compared with the cell's mean, so that a small
#: or faint pore stands out from the noise
_MEAN_OVER = 4
#: a cell is flat where no such average is farther from its mean than white noise would let it be: 6 standard
#: deviations, which a cell of pure noise exceeds once in 500 000
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


def find_empty_ground(source: ScanSource) -> EmptyGround:
    """Look through all of a scan for ground that can't be rock.

    A cell can be empty where it holds one single value, or nothing but noise: noise as little as anywhere in the
    scan, around a grey level darker than that of the cells that are not flat. From these cells, regions are kept
    that reach the border of the scan and are nowhere narrower than three cells, less one cell all around. So a pore
    inside the rock is never taken for resin, however large; a flat mineral is not either, unless it is dark and lies at
    the border.

    Every pixel is read once: what a sample would miss is just what must not be missed. A band of blocks is in memory
    at a time.
    """
    high, wide = (-(-side // CELL) for side in source.shape)
    mean, noise, ratio = (np.zeros((high, wide), np.float32) for _ in range(3))
    constant = np.zeros((high, wide), bool)
    if min(source.shape) < CELL:
        return EmptyGround(constant, source.shape)
    for place, pixels in _cells(source):
        mean[place], noise[place], ratio[place], constant[place] = _statistics(pixels)
    noisy = noise[~constant]
    flat = ~constant & (ratio <= _DEVIATIONS)
    rock = ~constant & ~flat
    resin = np.zeros_like(flat)
    if rock.any():
        quiet = flat & (noise <= _MOST_NOISE * np.quantile(noisy, _QUIETEST))
        resin = quiet & (mean < np.median(mean[rock]))
    return EmptyGround(_regions_at_the_border(constant | resin), source.shape)


def _regions_at_the_border(candidates: np.ndarray) -> np.ndarray:
    around = np.ones((3, 3), bool)
    # what lies beyond the scan counts as empty: a frame of three cells, which the opening leaves whole
    padded = np.pad(candidates, 3, constant_values=True)
    opened = ndimage.binary_opening(padded, around)
    labels, _ = ndimage.label(opened, around)
    kept = labels == labels[0, 0]
    return ndimage.binary_erosion(kept, around, border_value=1)[3:-3, 3:-3] & candidates


def _statistics(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the cells of a window (r * CELL, c * CELL), (r, c) each.

    Returns:
        Mean; standard deviation of white noise that has the same differences between neighbouring columns; the
        largest deviation of an average of `_MEAN_OVER`² pixels from the mean, in standard deviations of such an
        average of that noise; whether all pixels are the same.
    """
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    cells = pixels.reshape(rows, CELL, columns, CELL).swapaxes(1, 2).astype(np.float32)
    constant = cells.min((2, 3)) == cells.max((2, 3))
    mean = cells.mean((2, 3))
    differences = np.diff(cells, axis=3)
    noise = np.sqrt(np.square(differences).mean((2, 3)) / 2)
    few = CELL // _MEAN_OVER
    averages = cells.reshape(rows, columns, few, _MEAN_OVER, few, _MEAN_OVER).mean((3, 5))
    deviation = np.abs(averages - mean[:, :, None, None]).max((2, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        return mean, noise, np.nan_to_num(deviation / (noise / _MEAN_OVER), nan=0.0, posinf=np.inf), constant


def _cells(source: ScanSource) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """Windows of whole cells, and their place in the map; the last cells are moved inside the scan."""
    for rows, top, height in _spans(source.shape[0], source.block[0], 512):
        for columns, left, width in _spans(source.shape[1], source.block[1], 2048):
            yield (rows, columns), source.read(top, left, height, width)


def _spans(length: int, block: int, least: int) -> Iterator[tuple[slice, int, int]]:
    """Cells along one axis, in spans of about a block: (indices of the cells, first pixel, number of pixels)."""
    whole = length // CELL
    step = max(1, min(max(block, least), 4096) // CELL)
    for first in range(0, whole, step):
        last = min(whole, first + step)
        yield slice(first, last), first * CELL, (last - first) * CELL
    if length % CELL:
        yield slice(whole, whole + 1), length - CELL, CELL
