"""One pass over a scan, cell by cell: what empty ground and shading are found by, and what can't be read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UserError
from pipeline.foreground.blank_ground import UniformSquares
from pipeline.foreground.shading import CELL, cell_medians
from pipeline.images.rectangles import Window
from pipeline.images.source import ImageSource
from pipeline.images.storage import THREADS
from pipeline.tiling.windows import Windows, axis_weights

logger = logging.getLogger("vlsenet")


def needed_window(windows: Windows) -> Window | None:
    """The pixels of each slice that the network will look at: the region and what lies around it; None: all of them."""
    plan = windows.plan
    if plan.roi is None:
        return None
    _, rows, columns = plan.grid
    parts = [windows.imaged(plan[index]) for index in range(rows * columns)]
    seen = np.array([windows.around(part) for part in parts if part.height])
    if not len(seen):
        return None
    spans = []
    for axis, scale, length in zip((0, 1), windows.scale, (windows.rows or plan.height, plan.width), strict=True):
        # windows may reach beyond the scan
        end = min(int((seen[:, axis] + seen[:, axis + 2]).max()), windows.shape[axis])
        first = max(0, int(seen[:, axis].min()))
        spans.append((first, end - first) if scale == 1 else axis_weights(first, end - first, scale, length)[:2])
    (top, height), (left, width) = spans
    return Window(top, left, height, width)


def is_of_a_part(error: UserError) -> bool:
    """Whether reading failed because of what a part of the scan holds, and not because file or memory are gone."""
    return not isinstance(error.__cause__, OSError | MemoryError)


def with_region_read(error: UserError, windows: Windows, needed: Window) -> UserError:
    """The same error, which says how far around the region is read: it may lie outside of it."""
    region = windows.plan.region
    around = max(
        region.y - needed.top,
        region.x - needed.left,
        needed.top + needed.height - region.y - region.height,
        needed.left + needed.width - region.x - region.width,
    )
    return UserError(f"{error} (--roi {region} is read with {around} pixels around it)")


def warn_of_unreadable(path: str, unreadable: np.ndarray) -> None:
    """Warn of cells (slices, rows, columns) that the statistics lack, if any, with the place of the first."""
    if not unreadable.any():
        return
    slice_, row, column = np.argwhere(unreadable)[0]
    place = f"x {column * CELL}, y {row * CELL}" + (f", slice {slice_ + 1}" if len(unreadable) > 1 else "")
    logger.warning(
        "%s: %.2g %% of the scan can't be read or holds NaN, first at the square of %d pixels at %s; the grey-level "
        "statistics leave it out: copy the scan again, or fill NaN with a grey value, to have those of all of it",
        path,
        100 * unreadable.mean(),
        CELL,
        place,
    )


#: pixels are averaged over squares of this side (px) before they are compared with the cell's mean, so that a small
#: or faint pore stands out from the noise
_MEAN_OVER = 4


@dataclass(frozen=True)
class CellStatistics:
    """Measures of cells of `CELL` pixels, (rows, columns) each; the last along each axis are moved inside the scan.

    Attributes:
        shape: the scan's height and width (px).
        median: grey level.
        mean: likewise.
        noise: standard deviation of white noise that has the same differences between neighbouring columns.
        ratio: the largest deviation of an average of 4 x 4 pixels from the mean, in standard deviations of such an
            average of that noise.
        constant: whether all pixels are the same.
        lowest: grey level of a pixel; NaN: of none.
        highest: likewise.
        unreadable: cells that could not be read, or hold NaN; median, lowest and highest are NaN.
        squares: smaller than cells, of one value each.
    """

    shape: tuple[int, int]
    median: np.ndarray
    mean: np.ndarray
    noise: np.ndarray
    ratio: np.ndarray
    constant: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    unreadable: np.ndarray
    squares: UniformSquares


def measure_cells(source: ImageSource, needed: Window | None = None) -> CellStatistics:
    """Measure a scan. Every pixel is read once; a window of each thread is in memory at a time.

    A scan narrower than a cell is one of that width, of which median, range and squares alone are measured.

    Args:
        source: the scan.
        needed: where all pixels have to be readable; cells that are not are left out elsewhere. None: everywhere.

    Raises:
        UserError: a part that is needed can't be read, or is NaN or infinite.
    """
    high, wide = (-(-side // CELL) for side in source.shape)
    median, mean, noise, ratio, lowest, highest = (np.zeros((high, wide), np.float32) for _ in range(6))
    constant, unreadable = np.zeros((high, wide), bool), np.zeros((high, wide), bool)
    squares = UniformSquares(source.shape, source.dtype)
    cells = CellStatistics(source.shape, median, mean, noise, ratio, constant, lowest, highest, unreadable, squares)
    if min(source.shape) < CELL:
        pixels = source.read(0, 0, *source.shape)
        median[:], lowest[:], highest[:] = cell_medians(pixels), pixels.min(), pixels.max()
        squares.note(pixels, 0, 0)
        return cells

    def measure(place: tuple[slice, slice], window: Window) -> None:
        try:
            pixels = source.read(*window)
        except UserError as error:
            shown = window if needed is None else window.common(needed)
            if shown == window or not is_of_a_part(error):
                raise
            if window.height * window.width == CELL**2:
                if shown is not None:
                    source.read(*shown)
                unreadable[place] = True
                median[place] = lowest[place] = highest[place] = np.nan
                return
            for row, column in np.ndindex(*(side // CELL for side in window[2:])):
                y, x = (span.start + i for span, i in zip(place, (row, column), strict=True))
                cell = Window(window.top + row * CELL, window.left + column * CELL, CELL, CELL)
                measure((slice(y, y + 1), slice(x, x + 1)), cell)
            return
        # what fills a canvas can be -3.4e38, and gives no noise
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            median[place] = cell_medians(pixels)
            mean[place], noise[place], ratio[place], lowest[place], highest[place] = _statistics(pixels)
        constant[place] = lowest[place] == highest[place]
        # the last cells are moved inside; squares are not
        y, x = (span.start * CELL - first for span, first in zip(place, window[:2], strict=True))
        squares.note(pixels[y:, x:], window.top + y, window.left + x)

    def measure_band(band: tuple[slice, int, int]) -> None:
        rows, top, height = band
        for columns, left, width in _spans(source.shape[1], source.block[1], 2048):
            measure((rows, columns), Window(top, left, height, width))

    # decoders and NumPy let other threads run; a strip of a TIFF is in one band, and so decoded once
    with ThreadPoolExecutor(THREADS, thread_name_prefix="cells") as threads:
        for _ in threads.map(measure_band, _spans(source.shape[0], source.block[0], 512)):
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
