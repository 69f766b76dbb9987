"""One pass over a scan, cell by cell: what empty ground and shading are found by."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pipeline.data.shading import CELL, cell_medians
from pipeline.scan.blank_ground import UniformSquares
from pipeline.scan.sources.source import ScanSource
from pipeline.scan.threads import THREADS

#: pixels are averaged over squares of this side (px) before they are compared with the cell's mean, so that a small
#: or faint pore stands out from the noise
_MEAN_OVER = 4


@dataclass(frozen=True)
class Cells:
    """Measures of cells of `CELL` pixels, (rows, columns) each; the last along each axis are moved inside the scan.

    Attributes:
        shape: the scan's height and width (px).
        median: grey level.
        mean: likewise.
        noise: standard deviation of white noise that has the same differences between neighbouring columns.
        ratio: the largest deviation of an average of 4 x 4 pixels from the mean, in standard deviations of such an
            average of that noise.
        lowest: grey level of a pixel.
        highest: likewise.
        squares: smaller than cells, of one value each.
    """

    shape: tuple[int, int]
    median: np.ndarray
    mean: np.ndarray
    noise: np.ndarray
    ratio: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    squares: UniformSquares

    @property
    def constant(self) -> np.ndarray:
        """Whether all pixels are the same."""
        same: np.ndarray = self.lowest == self.highest
        return same


def measure_cells(source: ScanSource) -> Cells:
    """Measure a scan. Every pixel is read once; a window of each thread is in memory at a time.

    A scan narrower than a cell is one of that width, of which median, range and squares alone are measured.
    """
    high, wide = (-(-side // CELL) for side in source.shape)
    median, mean, noise, ratio, lowest, highest = (np.zeros((high, wide), np.float32) for _ in range(6))
    squares = UniformSquares(source.shape, source.dtype)
    cells = Cells(source.shape, median, mean, noise, ratio, lowest, highest, squares)
    if min(source.shape) < CELL:
        pixels = source.read(0, 0, *source.shape)
        median[:], lowest[:], highest[:] = cell_medians(pixels), pixels.min(), pixels.max()
        squares.note(pixels, 0, 0)
        return cells

    # what fills a canvas can be -3.4e38, and gives no noise
    @np.errstate(over="ignore", divide="ignore", invalid="ignore")
    def measure(band: tuple[slice, int, int]) -> None:
        rows, top, height = band
        for columns, left, width in _spans(source.shape[1], source.block[1], 2048):
            pixels = source.read(top, left, height, width)
            place = rows, columns
            median[place] = cell_medians(pixels)
            mean[place], noise[place], ratio[place], lowest[place], highest[place] = _statistics(pixels)
            # the last cells are moved inside; squares are not
            y, x = (span.start * CELL - first for span, first in zip(place, (top, left), strict=True))
            squares.note(pixels[y:, x:], top + y, left + x)

    # decoders and NumPy let other threads run; a strip of a TIFF is in one band, and so decoded once
    with ThreadPoolExecutor(THREADS, thread_name_prefix="first look") as threads:
        for _ in threads.map(measure, _spans(source.shape[0], source.block[0], 512)):
            pass
    return cells


def _statistics(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, noise, ratio, lowest and highest of the cells of a window (r * CELL, c * CELL), (r, c) each."""
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    cells = pixels.reshape(rows, CELL, columns, CELL).swapaxes(1, 2).astype(np.float32)
    lowest, highest = cells.min((2, 3)), cells.max((2, 3))
    mean = cells.mean((2, 3))
    differences = np.diff(cells, axis=3)
    noise = np.sqrt(np.square(differences).mean((2, 3)) / 2)
    few = CELL // _MEAN_OVER
    # row by row first, which is several times as fast as both at once
    averages = cells.reshape(rows, columns, few, _MEAN_OVER, CELL).mean(3)
    averages = averages.reshape(rows, columns, few, few, _MEAN_OVER).mean(4)
    deviation = np.abs(averages - mean[:, :, None, None]).max((2, 3))
    ratio = np.nan_to_num(deviation / (noise / _MEAN_OVER), nan=0.0, posinf=np.inf)
    return mean, noise, ratio, lowest, highest


def _spans(length: int, block: int, least: int) -> Iterator[tuple[slice, int, int]]:
    """Cells along one axis, in spans of about a block: (indices of the cells, first pixel, number of pixels)."""
    whole = length // CELL
    step = max(1, min(max(block, least), 4096) // CELL)
    for first in range(0, whole, step):
        last = min(whole, first + step)
        yield slice(first, last), first * CELL, (last - first) * CELL
    if length % CELL:
        yield slice(whole, whole + 1), length - CELL, CELL
