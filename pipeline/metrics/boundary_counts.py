"""How near the edges of predicted pores come to the true ones: surface Dice and boundary F1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from monai.metrics.utils import get_mask_edges, get_surface_distance

from pipeline.metrics.pore_counts import Counts, as_masks, mutual_f1, ratio


@dataclass(frozen=True)
class BoundaryCounts(Counts):
    """Edge pixels of one image's masks, or pooled over many: counts add with ``+``.

    Edges and distances are MONAI's: an edge pixel is a pore pixel with a side on rock or on the image's border, and its
    distance is the Euclidean one to the nearest edge pixel of the other mask (px).

    Attributes:
        predicted: edge pixels of the predicted pores.
        predicted_near: of those, the ones within the tolerance of a true edge.
        true: edge pixels of the true pores.
        true_near: of those, the ones within the tolerance of a predicted edge.
    """

    predicted: int = 0
    predicted_near: int = 0
    true: int = 0
    true_near: int = 0

    @classmethod
    def of(cls, predicted: np.ndarray, truth: np.ndarray, tolerances: Sequence[float]) -> tuple[BoundaryCounts, ...]:
        """Count over two masks (H, W), what is above 0 is pore, once for each tolerance (px).

        Raises:
            ValueError: masks that are not two-dimensional, or of different shape.
        """
        ours, theirs = get_mask_edges(*as_masks(predicted, truth))
        sizes = int(ours.sum()), int(theirs.sum())
        if not all(sizes):  # there are no distances to nothing
            return tuple(cls(predicted=sizes[0], true=sizes[1]) for _ in tolerances)
        to_theirs, to_ours = get_surface_distance(ours, theirs), get_surface_distance(theirs, ours)
        return tuple(
            cls(sizes[0], int((to_theirs <= tolerance).sum()), sizes[1], int((to_ours <= tolerance).sum()))
            for tolerance in tolerances
        )

    @property
    def surface_dice(self) -> float:
        """Share of the edge pixels of both masks that are near the other's; 1 where both masks are empty (they agree).

        Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy", J Med Internet
        Res 2021.
        """
        return ratio(self.predicted_near + self.true_near, self.predicted + self.true, empty=1.0)

    @property
    def boundary_f1(self) -> float:
        """Harmonic mean of the shares of either mask's edge that are near the other's (`mutual_f1`).

        Csurka et al., "What is a good evaluation measure for semantic segmentation?", BMVC 2013.
        """
        return mutual_f1(self.predicted_near, self.predicted, self.true_near, self.true)
