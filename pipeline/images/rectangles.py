"""The rectangles of pixels that a scan is cut into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.errors import UserError

#: side of the least that is read at a place (px): it is more expensive to get there than to read it
_SAMPLE_SIDE = 256


class Roi(NamedTuple):
    """A region of interest, the same in every slice of a scan, as users and viewers write it (px).

    Attributes:
        x: its first column.
        y: its first row.
        width: number of columns.
        height: number of rows.
    """

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, given: str | Iterable[int]) -> Roi:
        """From `x,y,w,h` as text or, as a config may have it, as numbers.

        Raises:
            UserError: it is not four whole numbers, or the rectangle is empty.
        """
        text = str(given)
        try:
            text = given if isinstance(given, str) else ",".join(map(str, given))
            roi = cls(*(int(part) for part in text.split(",")))
        except (ValueError, TypeError) as error:
            raise UserError(f"roi {text!r}: give x,y,width,height in whole pixels, such as 0,0,4096,4096") from error
        if min(roi.x, roi.y) < 0 or min(roi.width, roi.height) < 1:
            raise UserError(f"roi {text!r}: x and y must be at least 0, width and height at least 1")
        return roi

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"


class Rows(NamedTuple):
    """The rows of an image that are imaged; an info bar lies above or below them (px).

    Attributes:
        first: the first of them.
        stop: one behind the last.
    """

    first: int
    stop: int

    @property
    def number(self) -> int:
        """How many there are."""
        return self.stop - self.first

    def within(self, roi: Roi) -> Roi:
        """The part of a region that they show; its first row where they show none."""
        top = min(max(roi.y, self.first), roi.y + roi.height - 1)
        return roi._replace(y=top, height=max(1, min(roi.y + roi.height, self.stop) - top))


class Window(NamedTuple):
    """A rectangle of one slice, as it is read from a source (px).

    Attributes:
        top: its first row.
        left: its first column.
        height: number of rows.
        width: number of columns.
    """

    top: int
    left: int
    height: int
    width: int

    def common(self, other: Window) -> Window | None:
        """What two windows have in common; None: nothing."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.height, other.top + other.height)
        right = min(self.left + self.width, other.left + other.width)
        return Window(top, left, bottom - top, right - left) if bottom > top and right > left else None


@dataclass(frozen=True)
class Part:
    """A rectangle of the output, whose corner is the region of interest's (px)."""

    slice: int
    y: int
    x: int
    height: int
    width: int

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return self.height * self.width


@dataclass(frozen=True)
class Chunk(Part):
    """A part that is written at once, with its number, and its place in the grid of chunks of its slice."""

    index: int
    row: int
    column: int


def sample_windows(shape: tuple[int, int], block: tuple[int, int], most_pixels: int) -> Iterator[Window]:
    """Windows of whole blocks that are spread over a scan, from top to bottom.

    Args:
        shape: the scan's height and width (px).
        block: height and width of the blocks (px).
        most_pixels: all windows together have about as many at most.
    """
    high, wide = block
    if high * wide < _SAMPLE_SIDE**2:
        high, wide = (-(-_SAMPLE_SIDE // side) * side if side < _SAMPLE_SIDE else side for side in block)
    high, wide = min(high, shape[0]), min(wide, shape[1])
    down, across = -(-shape[0] // high), -(-shape[1] // wide)
    wanted = max(1, most_pixels // (high * wide))
    rows = min(down, max(1, round((wanted * down / across) ** 0.5)))
    columns = min(across, max(1, wanted // rows))
    rows = min(down, max(1, wanted // columns))
    draw = np.random.default_rng(0)
    for i in range(rows):
        for j in range(columns):
            # with one cell in each rectangle there is nothing to draw, and all are read
            row = int(draw.integers(i * down // rows, (i + 1) * down // rows))
            column = int(draw.integers(j * across // columns, (j + 1) * across // columns))
            top, left = row * high, column * wide
            yield Window(top, left, min(high, shape[0] - top), min(wide, shape[1] - left))
