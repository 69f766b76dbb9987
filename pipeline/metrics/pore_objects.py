"""Pores as objects: how many there are, and which were broken up, merged, missed or made up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.measure import label

from pipeline.metrics.counts import Counts, check_masks


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
        check_masks(predicted, truth)
        ours, predicted_count = label(predicted > 0, connectivity=2, return_num=True)
        theirs, true_count = label(truth > 0, connectivity=2, return_num=True)
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
