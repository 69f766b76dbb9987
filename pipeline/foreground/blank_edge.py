"""The edge of blank ground: which of its pixels are blank, and how bright the rock beside it is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from pipeline.foreground.blank_ground import SQUARE, BlankGround, packed, runs
from pipeline.foreground.cell_statistics import CellStatistics
from pipeline.foreground.shading import CELL, STEP
from pipeline.images.source import ImageSource

#: share of a cell that has to be left for a median
_LEAST = 0.1
#: share of the cells that tells how dark and bright rock can be
_FEWEST_AWAY = 0.25
#: cells that are read at once at most
_CELLS = 32


def trace_blank_ground(source: ImageSource, cells: CellStatistics) -> BlankGround | None:
    """Find blank ground, and take it out of medians and ranges of the cells that it touches; NaN: too little is left.

    Only cells along the edge of the ground are read again: none where a scan has no blank ground.

    Args:
        source: the scan.
        cells: measured of it; `median`, `lowest` and `highest` are changed.
    """
    found = cells.squares.ground(float(np.nanmin(cells.lowest)), float(np.nanmax(cells.highest)))
    if not found:
        return None
    whole = np.logical_or.reduce([one.whole for one in found])
    parts = [one.part & ~whole for one in found]
    edge = np.logical_or.reduce(parts)
    near = ndimage.binary_dilation(whole | edge, np.ones((3, 3), bool))
    some, all_ = _in_cells(near), ~_in_cells(~whole)
    for axis in (0, 1):  # the last cells are moved inside, over a part of those before
        some.swapaxes(0, axis)[-1] |= some.swapaxes(0, axis)[-2:].any(0)
        all_.swapaxes(0, axis)[-1] &= all_.swapaxes(0, axis)[-2:].all(0)
    darkest, brightest = _range_away_from(some, cells)
    mixed = any(float(one.value) < darkest for one in found), any(float(one.value) > brightest for one in found)
    cells.median[all_] = cells.lowest[all_] = cells.highest[all_] = np.nan
    places, pixels = [np.empty((0, 2), np.int64)], [np.empty((0, SQUARE, SQUARE), bool)]
    high, wide = (min(CELL, side) for side in source.shape)
    for row, first, last in _spans(some & ~all_ & ~cells.unreadable):
        top, left = min(row * CELL, source.shape[0] - high), min(first * CELL, source.shape[1] - wide)
        seen = source.read(top, left, high, min(source.shape[1], last * CELL) - left)
        blank, of_value = _in_window(whole, top, left, seen.shape), np.zeros(seen.shape, bool)
        for one, part in zip(found, parts, strict=True):
            of_value |= (seen == one.value) & _in_window(part, top, left, seen.shape)
        for some_are, beyond in zip(mixed, (seen < darkest, seen > brightest), strict=True):
            if some_are:  # where an image was turned, pixels at its edge are of both: -9999 of the ground shows in them
                of_value |= beyond & _in_window(near, top, left, seen.shape)
        blank = _connected(of_value, blank)
        for column in range(first, last):
            x = min(column * CELL, source.shape[1] - wide) - left
            cell, there = seen[:, x : x + wide], ~blank[:, x : x + wide]
            rock = cell[there]
            cells.lowest[row, column] = rock.min() if rock.size else np.nan
            cells.highest[row, column] = rock.max() if rock.size else np.nan
            cell, there = cell[::STEP, ::STEP], there[::STEP, ::STEP]
            enough = there.sum() >= _LEAST * there.size
            cells.median[row, column] = np.median(cell[there]) if enough else np.nan
        squares = blank[row * CELL - top :, first * CELL - left :]
        squares = np.pad(squares, [(0, -side % SQUARE) for side in squares.shape])
        blocks = squares.reshape(squares.shape[0] // SQUARE, SQUARE, -1, SQUARE).swapaxes(1, 2)
        corner = row * CELL // SQUARE, first * CELL // SQUARE
        inside = ~whole[corner[0] : corner[0] + blocks.shape[0], corner[1] : corner[1] + blocks.shape[1]]
        inside = inside & blocks.any((2, 3))
        places.append(np.argwhere(inside) + corner)
        pixels.append(blocks[inside])
    return BlankGround(whole, np.concatenate(places), packed(np.concatenate(pixels)), source.shape)


def _range_away_from(touched: np.ndarray, cells: CellStatistics) -> tuple[float, float]:
    """What no rock is darker or brighter than: the range of the cells that no ground touches, three times as wide.

    Without end where these are few.
    """
    away = ~touched & ~cells.constant & ~cells.unreadable
    if away.sum() < max(1, _FEWEST_AWAY * (~cells.constant).sum()):
        return -np.inf, np.inf
    low, high = float(cells.lowest[away].min()), float(cells.highest[away].max())
    return 2 * low - high, 2 * high - low


def _connected(pixels: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Ground of a window (H, W), and the pixels that are connected with it: not a grain that has its value by chance.

    What reaches the window's border may be connected beyond it.
    """
    labels, count = ndimage.label(pixels | ground, np.ones((3, 3), bool))
    kept = np.zeros(count + 1, bool)
    for found in (labels[ground], labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        kept[found] = True
    kept[0] = False
    connected: np.ndarray = kept[labels]
    return connected


def touched_cells(blank: BlankGround) -> np.ndarray:
    """Cells of `CELL` pixels that hold blank pixels, (rows, columns)."""
    some = blank.whole.copy()
    some[tuple(blank.edge.T)] = True
    return _in_cells(some)


def _in_cells(squares: np.ndarray) -> np.ndarray:
    """Cells in which any square is True."""
    few = CELL // SQUARE
    padded = np.pad(squares, [(0, -side % few) for side in squares.shape])
    cells: np.ndarray = np.any(padded.reshape(padded.shape[0] // few, few, -1, few), axis=(1, 3))
    return cells


def _in_window(squares: np.ndarray, top: int, left: int, shape: tuple[int, ...]) -> np.ndarray:
    """Values of squares for each pixel of a window."""
    rows, columns = (np.arange(start, start + count) // SQUARE for start, count in zip((top, left), shape, strict=True))
    return squares[np.ix_(rows, columns)]


def _spans(cells: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Cells that follow each other in a row: (row, first column, one behind the last)."""
    for row in np.flatnonzero(cells.any(1)):
        for begin, end in runs(cells[row]):
            for first in range(begin, end, _CELLS):
                yield int(row), first, min(end, first + _CELLS)
