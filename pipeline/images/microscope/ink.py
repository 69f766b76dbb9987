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
                found = ndimage.find_objects(labels)
                boxes = np.array([(y.start, x.start, y.stop, x.stop) for y, x in found], np.int32)
                yield Ink(values, labels, boxes)
