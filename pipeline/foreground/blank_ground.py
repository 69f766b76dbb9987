"""Blank ground of a scan, to the pixel: around a mosaic, in its missing fields, in a turned image's corners."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.foreground.shading import CELL

#: side of the squares that ground is followed over (px): a pore clipped to black that opens to the ground by less than
#: this is not taken for a part of it
SQUARE = 16
#: a region is ground where it has this length (px) of the scan's border without a gap, more than a clipped pore has; in
#: a smaller scan half of its side
_LEAST = 256
#: whole squares that ground has, unless its value is at an end of the range: as many as a cell
_FEWEST_SQUARES = (CELL // SQUARE) ** 2
#: values that ground is followed of at most, those with most of the border
_MOST_VALUES = 8


@dataclass(frozen=True)
class OneValue:
    """Where a scan's ground of one grey value is, in squares, (rows, columns) each.

    Attributes:
        value: the grey value, as the scan has it.
        whole: squares that are ground with all their pixels.
        part: of the pixels of these squares, those that have the value are ground.
    """

    value: np.generic
    whole: np.ndarray
    part: np.ndarray


class UniformSquares:
    """Squares of a scan that hold a single value, noted window by window; windows may come from several threads.

    Memory: a byte and a grey value for each square of the scan, 1/256 of its pixels.

    Args:
        shape: the scan's height and width (px).
        dtype: of its grey values.

    Attributes:
        whole: (rows, columns), True where a square has one value; those at the lower and right border are cut.
        values: (rows, columns), that value.
        border: of the upper, lower, left and right border, True where the side of a square along it has one value.
        border_values: likewise, that value.
    """

    def __init__(self, shape: tuple[int, int], dtype: np.dtype) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        rows, columns = (-(-side // SQUARE) for side in shape)
        self.whole, self.values = np.zeros((rows, columns), bool), np.zeros((rows, columns), dtype)
        sides = columns, columns, rows, rows
        self.border = [np.zeros(length, bool) for length in sides]
        self.border_values = [np.zeros(length, dtype) for length in sides]

    def note(self, pixels: np.ndarray, top: int, left: int) -> None:
        """Look at a window (H, W) that begins at whole squares, and ends there or at the border."""
        high, wide = pixels.shape
        rest = [(0, -side % SQUARE) for side in pixels.shape]
        # what lies beyond the border is no obstacle
        padded = np.pad(pixels, rest, mode="edge") if np.any(rest) else pixels
        row, column = top // SQUARE, left // SQUARE
        rows, columns = (side // SQUARE for side in padded.shape)
        down, across = slice(row, row + rows), slice(column, column + columns)
        squares = padded.reshape(rows, SQUARE, columns, SQUARE)
        first, last, middle = squares[:, 0, :, 0], SQUARE - 1, SQUARE // 2
        # few squares of an image have equal corners, and only these are looked at as a whole
        likely = first == squares[:, last, :, last]
        for y, x in ((0, last), (last, 0), (middle, middle)):
            likely &= first == squares[:, y, :, x]
        for i in np.flatnonzero(likely.any(1)):
            those = np.flatnonzero(likely[i])
            likely[i, those] = (squares[i][:, those] == first[i, those][:, None]).all((0, 2))
        self.whole[down, across], self.values[down, across] = likely, first
        ends = top + high == self.shape[0], left + wide == self.shape[1]
        for side, there, place, line in (
            (0, top == 0, across, padded[0]),
            (1, ends[0], across, padded[high - 1]),
            (2, left == 0, down, padded[:, 0]),
            (3, ends[1], down, padded[:, wide - 1]),
        ):
            if there:
                sides = line.reshape(-1, SQUARE)
                self.border[side][place] = (sides == sides[:, :1]).all(1)
                self.border_values[side][place] = sides[:, 0]

    def ground(self, lowest: float, highest: float) -> list[OneValue]:
        """Find ground: whole squares of one value that touch each other and, somewhere, a long stretch of border.

        Of the squares around these, and of those along such a stretch, a part may be ground.

        Args:
            lowest: grey value of the scan.
            highest: likewise.

        Returns:
            The ground of each value that has any.
        """
        least = max(1, min(_LEAST, *(side // 2 for side in self.shape)) // SQUARE)
        long = [_long_runs(*line, least) for line in zip(self.border, self.border_values, strict=True)]
        values, counts = np.unique(
            np.concatenate([line[kept] for line, kept in zip(self.border_values, long, strict=True)]),
            return_counts=True,
        )
        ends = [0, np.iinfo(self.dtype).max if self.dtype.kind == "u" else 0, lowest, highest]
        at_end = np.isin(values, ends)
        order = np.lexsort((-counts, ~at_end))[:_MOST_VALUES]
        found = [self._of(values[i], long, 0 if at_end[i] else _FEWEST_SQUARES) for i in order]
        return [one for one in found if one.whole.any() or one.part.any()]

    def _of(self, value: np.generic, long: list[np.ndarray], fewest: int) -> OneValue:
        """Foreground of one value, where it has so many whole squares; `long` are the long stretches of the borders."""
        whole = self.whole & (self.values == value)
        stretch = np.zeros_like(whole)
        for kept, line, along in zip(
            long, self.border_values, (stretch[0], stretch[-1], stretch[:, 0], stretch[:, -1]), strict=True
        ):
            along |= kept & (line == value)
        labels, count = ndimage.label(whole | stretch)
        reached = np.zeros(count + 1, bool)
        reached[labels[stretch]] = True
        reached &= np.bincount(labels[whole], minlength=count + 1) >= fewest
        reached[0] = False
        ground = reached[labels]
        whole &= ground
        part = (ndimage.binary_dilation(whole, np.ones((3, 3), bool)) | (stretch & ground)) & ~whole
        return OneValue(value, whole, part)


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

    @classmethod
    def rows_above(cls, first: int, shape: tuple[int, int]) -> BlankGround:
        """The rows of a scan of this height and width (px) above `first`."""
        rows, columns = (-(-side // SQUARE) for side in shape)
        whole = np.zeros((rows, columns), bool)
        whole[: first // SQUARE] = True
        part = np.zeros((columns if first % SQUARE else 0, SQUARE, SQUARE), bool)
        part[:, : first % SQUARE] = True
        part[-1:, :, (shape[1] - 1) % SQUARE + 1 :] = False  # beyond the scan
        edge = np.stack([np.full(len(part), first // SQUARE), np.arange(len(part))], axis=1)
        return cls(whole, edge, packed(part), shape)

    def joined(self, other: BlankGround) -> BlankGround:
        """What is blank in one of both, of the same scan."""
        whole = self.whole | other.whole
        bits: dict[tuple[int, int], np.ndarray] = {}
        for one in (self, other):
            for (row, column), pixels in zip(one.edge.tolist(), one.pixels, strict=True):
                if not whole[row, column]:
                    bits[row, column] = bits.get((row, column), 0) | pixels
        edge = np.array(sorted(bits), np.int64).reshape(-1, 2)
        pixels = np.array([bits[row, column] for row, column in edge.tolist()], np.uint8)
        return BlankGround(whole, edge, pixels.reshape(len(edge), SQUARE**2 // 8), self.shape)

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


def _long_runs(there: np.ndarray, values: np.ndarray, least: int) -> np.ndarray:
    """Those places of a line that are there and of which at least so many with one value follow each other."""
    breaks = ~there[1:] | ~there[:-1] | (values[1:] != values[:-1])
    starts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    lengths = np.diff(starts, append=len(there))
    return there & np.repeat(lengths >= least, lengths)


def runs(line: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and one behind the last of the True values that follow each other."""
    changes = np.flatnonzero(np.diff(np.pad(line, 1).astype(np.int8)))
    yield from zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True)


def packed_slices(slices: Sequence[BlankGround | None]) -> dict[str, np.ndarray]:
    """The arrays, by name; nothing where no slice has any."""
    there = [(index, blank) for index, blank in enumerate(slices) if blank is not None]
    if not there:
        return {}
    return {
        "blank_slices": np.array([index for index, _ in there]),
        "blank_whole": np.stack([blank.whole for _, blank in there]),
        "blank_counts": np.array([len(blank.edge) for _, blank in there]),
        "blank_edge": np.concatenate([blank.edge for _, blank in there]),
        "blank_pixels": np.concatenate([blank.pixels for _, blank in there]),
    }


def unpacked_slices(
    arrays: Mapping[str, np.ndarray], depth: int, shape: tuple[int, int]
) -> tuple[BlankGround | None, ...]:
    """What `packed_slices` was given, of so many slices of one height and width (px)."""
    slices: list[BlankGround | None] = [None] * depth
    if "blank_slices" in arrays:
        ends = np.cumsum(arrays["blank_counts"])[:-1]
        edges, pixels = (np.split(arrays[name], ends) for name in ("blank_edge", "blank_pixels"))
        for index, whole, edge, part in zip(arrays["blank_slices"], arrays["blank_whole"], edges, pixels, strict=True):
            slices[index] = BlankGround(whole, edge, part, shape)
    return tuple(slices)
