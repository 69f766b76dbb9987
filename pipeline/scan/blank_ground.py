"""Blank ground of a scan, to the pixel: what frames a mosaic, or fills its missing fields or a turned image's corners.

No detector gives one exact value for long, at the very end of the range: it is what a program puts where no image is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

#: side of the squares that ground is followed over (px): a pore clipped to black that opens to the ground by less than
#: this is not taken for a part of it
SQUARE = 16
#: a region is ground where it has this length (px) of the scan's border without a gap, more than a clipped pore has; in
#: a smaller scan half of its side
_LEAST = 256


def blank_values(dtype: np.dtype) -> tuple[int, ...]:
    """Grey values that ground can have, in a scan of this type: the ends of the range; of real numbers 0 alone."""
    return (0, int(np.iinfo(dtype).max)) if dtype.kind == "u" else (0,)


class BlankSquares:
    """Squares of a scan that hold one value, noted window by window; windows may come from several threads.

    Args:
        value: the grey value.
        shape: the scan's height and width (px).

    Attributes:
        whole: (rows, columns), True where all pixels of a square have it; those at the lower and right border are cut.
        border: of the upper, lower, left and right border, True where all pixels along the side of a square have it.
    """

    def __init__(self, value: int, shape: tuple[int, int]) -> None:
        self.value, self.shape = value, shape
        rows, columns = (-(-side // SQUARE) for side in shape)
        self.whole = np.zeros((rows, columns), bool)
        self.border = [np.zeros(length, bool) for length in (columns, columns, rows, rows)]

    def note(self, pixels: np.ndarray, top: int, left: int) -> None:
        """Look at a window (H, W) that begins at whole squares, and ends there or at the border."""
        equal = pixels == self.value
        if not equal.any():
            return
        high, wide = equal.shape
        # what lies beyond the border is no obstacle
        padded = np.pad(equal, [(0, -side % SQUARE) for side in equal.shape], constant_values=True)
        row, column = top // SQUARE, left // SQUARE
        rows, columns = (side // SQUARE for side in padded.shape)
        down, across = slice(row, row + rows), slice(column, column + columns)
        lines = np.logical_and.reduce(padded.reshape(rows, SQUARE, -1), axis=1)
        self.whole[down, across] = lines.reshape(rows, columns, SQUARE).all(2)
        ends = top + high == self.shape[0], left + wide == self.shape[1]
        for side, there, place, line in (
            (0, top == 0, across, padded[0]),
            (1, ends[0], across, padded[high - 1]),
            (2, left == 0, down, padded[:, 0]),
            (3, ends[1], down, padded[:, wide - 1]),
        ):
            if there:
                self.border[side][place] = line.reshape(-1, SQUARE).all(1)

    def ground(self) -> tuple[np.ndarray, np.ndarray]:
        """Squares that are ground, and those of which the pixels of the value are, (rows, columns) each.

        Ground are whole squares that touch each other and, somewhere, a long stretch of border that has the value.
        Of the squares around these, and of those along such a stretch, a part may be.
        """
        least = max(1, min(_LEAST, *(side // 2 for side in self.shape)) // SQUARE)
        long = np.zeros_like(self.whole)
        for line, along in zip(self.border, (long[0], long[-1], long[:, 0], long[:, -1]), strict=True):
            along |= _long_runs(line, least)
        if not long.any():
            return long, long
        labels, count = ndimage.label(self.whole | long)
        reached = np.zeros(count + 1, bool)
        reached[labels[long]] = True
        reached[0] = False
        whole = reached[labels] & self.whole
        return whole, (ndimage.binary_dilation(whole, np.ones((3, 3), bool)) | long) & ~whole


@dataclass(frozen=True)
class BlankGround:
    """Blank pixels of a scan. Memory: a byte for each square of the scan, 1/256 of its pixels, and the ground's edge.

    Attributes:
        whole: (rows, columns) of squares of `SQUARE` pixels, True where all pixels are blank.
        edge: (N, 2), row and column of the squares of which a part is.
        pixels: (N, `SQUARE`, `SQUARE`), which part; as bits, (N, `SQUARE`**2 / 8), uint8.
        shape: the scan's height and width (px).
    """

    whole: np.ndarray
    edge: np.ndarray
    pixels: np.ndarray
    shape: tuple[int, int]

    def window(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Where a window inside the scan is blank, (height, width), boolean."""
        first, last = (top // SQUARE, left // SQUARE), (-(-(top + height) // SQUARE), -(-(left + width) // SQUARE))
        whole = self.whole[first[0] : last[0], first[1] : last[1]]
        blocks = np.empty((*whole.shape, SQUARE, SQUARE), bool)
        blocks[:] = whole[:, :, None, None]
        inside = ((self.edge >= first) & (self.edge < last)).all(1)
        row, column = (self.edge[inside] - first).T
        blocks[row, column] = _unpacked(self.pixels[inside])
        image = blocks.swapaxes(1, 2).reshape(whole.shape[0] * SQUARE, whole.shape[1] * SQUARE)
        y, x = top % SQUARE, left % SQUARE
        return image[y : y + height, x : x + width]

    def touches(self, top: int, left: int, height: int, width: int) -> bool:
        """Whether any pixel of a window can be blank."""
        first, last = (top // SQUARE, left // SQUARE), (-(-(top + height) // SQUARE), -(-(left + width) // SQUARE))
        whole = self.whole[first[0] : last[0], first[1] : last[1]]
        return bool(whole.any() or ((self.edge >= first) & (self.edge < last)).all(1).any())

    def counts(self) -> np.ndarray:
        """Blank pixels of each square, (rows, columns)."""
        heights, widths = (np.diff([*range(0, side, SQUARE), side]) for side in self.shape)
        counts = self.whole * np.outer(heights, widths)
        counts[tuple(self.edge.T)] = np.unpackbits(self.pixels, axis=1).sum(1)
        return counts

    def box(self) -> tuple[slice, slice]:
        """The rows and columns (px) that all other pixels lie in; all of them where there are none."""
        others = np.ones_like(self.whole)
        others[self.whole] = False
        # a square of which no pixel is left, though it does not count as whole, is none either
        others[tuple(self.edge.T)] = ~_unpacked(self.pixels).all((1, 2))
        if not others.any():
            return slice(0, self.shape[0]), slice(0, self.shape[1])
        places = (np.flatnonzero(others.any(axis)) for axis in (1, 0))
        rows, columns = (
            slice(int(found[0]) * SQUARE, min(side, (int(found[-1]) + 1) * SQUARE))
            for found, side in zip(places, self.shape, strict=True)
        )
        return rows, columns


def packed(pixels: np.ndarray) -> np.ndarray:
    """Squares (N, `SQUARE`, `SQUARE`), boolean, as `BlankGround` keeps them."""
    return np.packbits(pixels.reshape(len(pixels), SQUARE**2), axis=1)


def _unpacked(bits: np.ndarray) -> np.ndarray:
    return np.unpackbits(bits, axis=1).reshape(-1, SQUARE, SQUARE).astype(bool)


def _long_runs(line: np.ndarray, least: int) -> np.ndarray:
    """Those of a line's True values of which at least so many follow each other."""
    kept = np.zeros_like(line)
    for first, last in runs(line):
        kept[first:last] = last - first >= least
    return kept


def runs(line: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and one behind the last of the True values that follow each other."""
    changes = np.flatnonzero(np.diff(np.pad(line, 1).astype(np.int8)))
    yield from zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True)
