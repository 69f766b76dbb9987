"""Every true pore of an image: its size, shape and direction, and how much of it was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.measure import label, regionprops_table

from pipeline.metrics.counts import Counts, check_masks

#: share of a pore's pixels from which it counts as found
HIT = 0.5

#: second moment of a pixel about its own middle (px^2): without it a pore of one pixel's width has no width
_PIXEL = 1 / 12


@dataclass(frozen=True, eq=False)
class TruePores:
    """The true pores of one image (8-connected), in the order of scikit-image's labels.

    Attributes:
        area: pixels, (N,).
        aspect_ratio: long over short axis of the ellipse with the same second moments, 1 or more, (N,); a pixel is a
            unit square, so that a line of n pixels has n.
        orientation: direction of the long axis, degrees, counter-clockwise from the image's x axis, 0 to below 180,
            (N,); of no meaning where the aspect ratio is near 1.
        found: share of the pixels that were predicted as pore, 0 to 1, (N,).
    """

    area: np.ndarray
    aspect_ratio: np.ndarray
    orientation: np.ndarray
    found: np.ndarray

    @classmethod
    def of(cls, predicted: np.ndarray, truth: np.ndarray) -> TruePores:
        """Measure over two masks (H, W); what is above 0 is pore.

        Raises:
            ValueError: masks that are not two-dimensional, or of different shape.
        """
        check_masks(predicted, truth)
        labels = label(truth > 0, connectivity=2)
        properties = regionprops_table(
            labels, properties=("area", "axis_major_length", "axis_minor_length", "orientation")
        )
        area = properties["area"].astype(np.int64)
        found = np.bincount(labels[predicted > 0], minlength=len(area) + 1)[1:]
        # an axis is four times the root of its second moment
        long, short = ((properties[f"axis_{axis}_length"] / 4) ** 2 + _PIXEL for axis in ("major", "minor"))
        # scikit-image measures from the row axis, which points down
        orientation = (np.degrees(properties["orientation"]) + 90) % 180
        return cls(area, np.sqrt(long / short), orientation, found / np.maximum(area, 1))

    def __len__(self) -> int:
        return len(self.area)


@dataclass(frozen=True)
class SmallPores(Counts):
    """Small true pores of one image, or pooled over many: counts add with ``+``.

    Attributes:
        total: how many there are.
        hit: of those, the ones of which at least half the pixels were found.
    """

    total: int = 0
    hit: int = 0

    @classmethod
    def among(cls, pores: TruePores, largest: float) -> SmallPores:
        """Count the pores of at most ``largest`` pixels."""
        small = pores.area <= largest
        return cls(int(small.sum()), int((pores.found[small] >= HIT).sum()))

    @property
    def recall(self) -> float:
        """Share of the small pores that were hit; NaN where there is none."""
        return self.hit / self.total if self.total else float("nan")
