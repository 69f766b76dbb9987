"""Centreline Dice: whether thin pores are found along their length, and stay connected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.morphology import skeletonize

from pipeline.metrics.pore_counts import Counts, as_masks, mutual_f1


@dataclass(frozen=True)
class CentrelineCounts(Counts):
    """Skeleton pixels of one image's masks, or pooled over many: counts add with ``+``.

    Centreline Dice of Shit et al., "clDice - a novel topology-preserving loss function for tubular structure
    segmentation", CVPR 2021. A pore's skeleton weighs by its length, so that a crack of one pixel's width counts as
    much as a wide one as long. Skeletons are scikit-image's (Zhang and Suen's thinning): each connected pore has one,
    a single pixel too.

    Attributes:
        predicted: pixels of the skeleton of the predicted pores.
        predicted_inside: of those, the ones in true pores.
        true: pixels of the skeleton of the true pores.
        true_inside: of those, the ones in predicted pores.
    """

    predicted: int = 0
    predicted_inside: int = 0
    true: int = 0
    true_inside: int = 0

    @classmethod
    def of(cls, predicted: np.ndarray, truth: np.ndarray) -> CentrelineCounts:
        """Count over two masks (H, W); what is above 0 is pore.

        Raises:
            ValueError: masks that are not two-dimensional, or of different shape.
        """
        predicted, truth = as_masks(predicted, truth)
        predicted_skeleton, true_skeleton = _skeleton(predicted), _skeleton(truth)
        return cls(
            int(predicted_skeleton.sum()),
            int((predicted_skeleton & truth).sum()),
            int(true_skeleton.sum()),
            int((true_skeleton & predicted).sum()),
        )

    @property
    def cl_dice(self) -> float:
        """Harmonic mean of the shares of either skeleton that lie in the other mask's pores (`mutual_f1`)."""
        return mutual_f1(self.predicted_inside, self.predicted, self.true_inside, self.true)


def _skeleton(mask: np.ndarray) -> np.ndarray:
    # an empty mask is common in tiles of dense rock, and thinning would still pass over it
    return skeletonize(mask) if mask.any() else mask
