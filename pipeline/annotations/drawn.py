"""What a file of annotations says of one image: areas, lines and pixels by the names of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage.draw import polygon

#: a class without a name
UNNAMED = ""


@dataclass(frozen=True)
class Area:
    """A polygon with holes.

    Attributes:
        name: of its class.
        rings: corners (N, 2), x and y (px), counted from the outer corner of the first pixel; what an even number of
            rings holds is a hole.
    """

    name: str
    rings: Sequence[np.ndarray]

    @property
    def points(self) -> np.ndarray:
        """All corners."""
        return np.concatenate(self.rings)

    def pixels(self, shape: tuple[int, int], line_width: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and columns of the pixels whose centres it holds."""
        box = _box(self.points, shape)
        if box is None:
            return
        top, left, height, width = box
        inside = np.zeros((height, width), bool)
        for ring in self.rings:
            x, y = np.asarray(ring, float).T - 0.5
            inside[polygon(y - top, x - left, inside.shape)] ^= True
        rows, columns = np.nonzero(inside)
        yield rows + top, columns + left


@dataclass(frozen=True)
class Line:
    """A stroke, or a point.

    Attributes:
        name: of its class.
        points: (N, 2), x and y (px).
        width: of the stroke (px); None: as the user says.
    """

    name: str
    points: np.ndarray
    width: float | None = None

    def pixels(self, shape: tuple[int, int], line_width: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and columns of the pixels that it covers."""
        width = max(1, round(self.width or line_width))
        box = _box(self.points, shape, width)
        if box is None:
            return
        top, left, height, across = box
        canvas = Image.new("1", (across, height))
        draw = ImageDraw.Draw(canvas)
        corners = [(x - left - 0.5, y - top - 0.5) for x, y in np.asarray(self.points, float).tolist()]
        if len(corners) > 1:
            draw.line(corners, fill=1, width=width, joint="curve")
        for x, y in (corners[0], corners[-1]):  # round ends, and what a point is
            radius = (width - 1) / 2
            draw.ellipse((round(x - radius), round(y - radius), round(x + radius), round(y + radius)), fill=1)
        rows, columns = np.nonzero(np.asarray(canvas))
        yield rows + top, columns + left


@dataclass(frozen=True)
class Pixels:
    """A mask of one class.

    Attributes:
        name: of the class.
        rows: of its pixels, (N,).
        columns: of its pixels, (N,).
    """

    name: str
    rows: np.ndarray
    columns: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """The pixels' centres, (N, 2), x and y (px)."""
        return np.stack([self.columns, self.rows], axis=1) + 0.5

    def pixels(self, shape: tuple[int, int], line_width: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and columns of those inside of the image."""
        inside = (self.rows >= 0) & (self.rows < shape[0]) & (self.columns >= 0) & (self.columns < shape[1])
        yield self.rows[inside], self.columns[inside]


Drawing = Area | Line | Pixels


def separate_points(name: str, points: np.ndarray) -> list[Drawing]:
    """Points (N, 2) that no line joins, x and y (px)."""
    return [Line(name, point[None]) for point in points]


@dataclass(frozen=True)
class Annotation:
    """What a file says of one image.

    Attributes:
        file: that says it.
        image: name of the image as the file has it, with or without suffix and folder; None: it is named after it.
        shape: (H, W) of the image as the file has it (px), if it does.
        drawings: later ones lie upon earlier ones.
        values: label values (H, W) instead, or of a part of the image ...
        names: ... of classes, by their value, as far as the file names them ...
        corner: ... and that part's row and column in the image (px).
        is_whole: whether what is not marked is none of the phases, as in a mask of our own.
    """

    file: Path
    image: str | None = None
    shape: tuple[int, int] | None = None
    drawings: Sequence[Drawing] = ()
    values: np.ndarray | None = None
    names: dict[int, str] = field(default_factory=dict)
    corner: tuple[int, int] | None = None
    is_whole: bool = False


def outside(drawing: Drawing, shape: tuple[int, int]) -> bool:
    """Whether a drawing lies outside of an image (H, W)."""
    if not len(drawing.points):
        return False
    (left, top), (right, bottom) = drawing.points.min(axis=0), drawing.points.max(axis=0)
    return bool(right <= 0 or bottom <= 0 or left >= shape[1] or top >= shape[0])


def _box(points: np.ndarray, shape: tuple[int, int], margin: int = 1) -> tuple[int, int, int, int] | None:
    """Top, left, height and width of the part of an image that points may reach; None where they reach none."""
    left, top = np.floor(points.min(axis=0)).astype(int) - margin
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + margin
    top, left, bottom, right = max(0, top), max(0, left), min(shape[0], bottom), min(shape[1], right)
    return (int(top), int(left), int(bottom - top), int(right - left)) if bottom > top and right > left else None
