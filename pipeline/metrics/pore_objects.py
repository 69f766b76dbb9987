"""Pores as objects: which were broken up, merged, missed or made up, and how much of each true pore was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from pipeline.metrics.pore_counts import Counts, as_masks, ratio


@dataclass(frozen=True)
class PoreObjects(Counts):
    """Pores of one image's masks, or pooled over many: counts add with ``+``.

    A pore is a component of pore pixels that touch each other by a side or a corner (8-connected).

    Attributes:
        predicted: predicted pores.
        true: true pores.
        broken: true pores that two or more predicted ones overlap.
        merged: predicted pores that overlap two or more true ones.
        missed: true pores that no predicted one overlaps.
        spurious: predicted pores that overlap no true one.
    """

    predicted: int = 0
    true: int = 0
    broken: int = 0
    merged: int = 0
    missed: int = 0
    spurious: int = 0

    @classmethod
    def of(cls, predicted: np.ndarray, truth: np.ndarray) -> PoreObjects:
        """Count over two masks (H, W); what is above 0 is pore.

        Raises:
            ValueError: masks that are not two-dimensional, or of different shape.
        """
        (ours, predicted_count), (theirs, true_count) = (
            label(mask, connectivity=2, return_num=True) for mask in as_masks(predicted, truth)
        )
        both = (ours > 0) & (theirs > 0)
        pairs = np.unique(np.stack([ours[both], theirs[both]]), axis=1)  # each pair that overlaps, once
        per_predicted = np.bincount(pairs[0], minlength=predicted_count + 1)[1:]
        per_true = np.bincount(pairs[1], minlength=true_count + 1)[1:]
        return cls(
            int(predicted_count),
            int(true_count),
            int((per_true > 1).sum()),
            int((per_predicted > 1).sum()),
            int((per_true == 0).sum()),
            int((per_predicted == 0).sum()),
        )

    @property
    def betti0_error(self) -> int:
        """Absolute difference of the numbers of pores (of the zeroth Betti numbers)."""
        return abs(self.predicted - self.true)


#: share of a pore's pixels from which it counts as found
HIT = 0.5


@dataclass(frozen=True, eq=False)
class TruePores:
    """The true pores of one image (8-connected), by first pixel (row by row).

    Shape and direction are defined as in the table of a scan's pores (docs/measurements.md).

    Attributes:
        area: pixels, (N,).
        aspect_ratio: long over short axis of the ellipse with the same second moments, 1 or more, (N,); NaN where the
            short axis is 0 (a line of one pixel's width, a single pixel).
        orientation: of the long axis to the x axis, counter-clockwise as seen on the screen, in (-90, 90] degrees,
            (N,); NaN where no axis is longer.
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
        predicted, truth = as_masks(predicted, truth)
        labels, count = label(truth, connectivity=2, return_num=True)
        rows, columns = np.nonzero(labels)
        pore = labels[rows, columns] - 1
        area = np.bincount(pore, minlength=count)
        found = np.bincount(labels[predicted], minlength=count + 1)[1:]
        aspect_ratio, orientation = _shapes(pore, area, columns, -rows)
        return cls(area, aspect_ratio, orientation, found / np.maximum(area, 1))

    def __len__(self) -> int:
        return len(self.area)

    def columns(self) -> dict[str, np.ndarray]:
        """The columns of a table: named as in that of a scan's pores, and ``found``."""
        return {
            "area_px": self.area,
            "aspect_ratio": self.aspect_ratio,
            "orientation_deg": self.orientation,
            "found": self.found,
        }


def _shapes(pore: np.ndarray, area: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Aspect ratio and orientation of each pore, from the pore and the place of each pixel."""

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(pore, values, minlength=len(area))

    # from whole numbers near the centroid, sums are exact where it matters: the short axis of a line is 0
    x, y = (values - np.rint(total(values) / area).astype(np.int64)[pore] for values in (x, y))
    sum_x, sum_y = total(x), total(y)
    v_x, v_y, c = area * total(x * x) - sum_x**2, area * total(y * y) - sum_y**2, area * total(x * y) - sum_x * sum_y
    spread = np.hypot(v_x - v_y, 2 * c)
    longer = (v_x + v_y + spread) / 2
    squared = np.full(len(area), np.nan)  # the product of both moments is v_x v_y - c^2
    np.divide(longer**2, v_x * v_y - c**2, out=squared, where=v_x * v_y > c**2)
    orientation = np.where(spread > 0, np.degrees(np.arctan2(2 * c, v_x - v_y)) / 2, np.nan)
    return np.sqrt(squared), orientation


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
        return ratio(self.hit, self.total)
