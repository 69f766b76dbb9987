"""The rectangles of pixels that a scan is cut into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.errors import UserError


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
        text = given if isinstance(given, str) else ",".join(map(str, given))
        try:
            roi = cls(*(int(part) for part in text.split(",")))
        except (ValueError, TypeError) as error:
            raise UserError(f"roi {text!r}: give x,y,width,height in whole pixels, such as 0,0,4096,4096") from error
        if min(roi.x, roi.y) < 0 or min(roi.width, roi.height) < 1:
            raise UserError(f"roi {text!r}: x and y must be at least 0, width and height at least 1")
        return roi

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"


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
