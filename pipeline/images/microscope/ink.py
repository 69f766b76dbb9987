"""What is drawn in an image, as components that hang together: strokes of a white or a black pen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

#: shares of the range of grey levels beyond which a pixel is of the pen; strokes that were made smaller lose contrast
LEVELS = (0.35, 0.42, 0.5, 0.6, 0.7, 0.85, 0.95)
#: of an image at one level; more is noise
_MOST_COMPONENTS = 50_000


@dataclass(frozen=True)
class Box:
    """Pixels from `top` to before `bottom`, `left` to before `right`."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    def around(self, other: Box) -> Box:
        """The smallest box that holds both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def holds(self, other: Box) -> bool:
        """Whether all of another box is in this one."""
        return self.around(other) == self

    def moved(self, down: int) -> Box:
        """The same box some rows further down."""
        return Box(self.top + down, self.left, self.bottom + down, self.right)


@dataclass(frozen=True)
class Ink:
    """What is drawn with one pen, as components that hang together.

    Attributes:
        grey: the image from 0, the ground, to 1, the pen (H, W).
        labels: number of the component that a pixel belongs to, 0 for none (H, W).
        boxes: top, left, bottom and right of components 1, 2, ... (N, 4).
    """

    grey: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray

    def box(self, number: int) -> Box:
        """The box of a component."""
        return Box(*(int(side) for side in self.boxes[number - 1]))

    def inside(self, box: Box) -> list[int]:
        """Numbers of the components that are in a box, all of each."""
        top, left, bottom, right = self.boxes.T
        inside = (top >= box.top) & (left >= box.left) & (bottom <= box.bottom) & (right <= box.right)
        return [int(index) + 1 for index in np.flatnonzero(inside)]


def inks(image: np.ndarray) -> Iterator[Ink]:
    """What could be drawn in an image, for a white and a black pen and several levels.

    Args:
        image: grey values (H, W).
    """
    grey = image.astype(np.float32)
    low, high = float(grey.min()), float(grey.max())
    if not high > low:
        return
    grey = (grey - low) / (high - low)
    for values in (grey, 1 - grey):
        for level in LEVELS:
            strokes = values > level
            if strokes.mean() > 0.7:
                continue  # the ground
            labels, count = ndimage.label(strokes, np.ones((3, 3)))
            if 0 < count <= _MOST_COMPONENTS:
                yield Ink(values, labels, boxes_of(labels, count))


def boxes_of(labels: np.ndarray, count: int) -> np.ndarray:
    """Boxes of components in which pixels that touch have one number, in a fifth of the time of `ndimage.find_objects`.

    Args:
        labels: number of the component that a pixel belongs to, 0 for none (H, W).
        count: of the components.

    Returns:
        Top, left, bottom and right of components 1, 2, ... (count, 4).
    """
    width = labels.shape[1]
    there = np.zeros((len(labels), width + 2), bool)
    np.greater(labels, 0, out=there[:, 1:-1])
    # where rows change between a component and none: first and one after the last pixel of each run
    changes = np.flatnonzero(there[:, 1:] != there[:, :-1])
    row, left = np.divmod(changes[::2], width + 1)
    right = changes[1::2] - row * (width + 1)
    number = labels[row, left] - 1
    top, bottom = np.empty(count, np.int64), np.empty(count, np.int64)
    # runs come row by row: of those with one number the last is the lowest, and from behind the first the highest
    bottom[number] = row + 1
    top[number[::-1]] = row[::-1]
    first, last = np.full(count, width, np.int64), np.zeros(count, np.int64)
    np.minimum.at(first, number, left)
    np.maximum.at(last, number, right)
    return np.stack([top, first, bottom, last], axis=1).astype(np.int32)
