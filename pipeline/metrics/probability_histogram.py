"""Probabilities of pore and other pixels, counted in bins: scores at any threshold from one pass."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pipeline.metrics.counts import Counts
from pipeline.metrics.pore_counts import PoreCounts

BINS = 256
#: of the thresholds that a training may choose: a network that has not learned yet must not call everything pore
LOWEST, HIGHEST = 0.2, 0.8


@dataclass(frozen=True)
class ProbabilityHistogram(Counts):
    """Pixels for each probability: histograms add with ``+``.

    Attributes:
        other: pixels that are no pore, (256,); bin k holds probabilities from k / 256 to below (k + 1) / 256.
        pore: pixels that are, likewise.
    """

    other: torch.Tensor
    pore: torch.Tensor

    @classmethod
    def of(cls, probability: torch.Tensor, truth: torch.Tensor) -> ProbabilityHistogram:
        """Count over a probability map (0 to 1) and a mask of 0 and 1 of equal shape, any number of dimensions."""
        bins = (probability * BINS).long().clamp_(0, BINS - 1).flatten()
        pore = truth.flatten() > 0
        return cls(torch.bincount(bins[~pore], minlength=BINS), torch.bincount(bins[pore], minlength=BINS))

    def counts_at(self, threshold: float) -> PoreCounts:
        """The counts of the mask ``probability >= threshold``, for a threshold that is a multiple of 1/256."""
        first = round(threshold * BINS)
        true_positive, false_positive = int(self.pore[first:].sum()), int(self.other[first:].sum())
        return PoreCounts(
            true_positive,
            false_positive,
            int(self.other.sum()) - false_positive,
            int(self.pore.sum()) - true_positive,
        )

    def best_threshold(self, low: float = LOWEST, high: float = HIGHEST) -> float:
        """Threshold of the best Dice, a multiple of 1/256 from ``low`` to ``high``; of equals that nearest to 0.5."""
        candidates = [k / BINS for k in range(round(low * BINS), round(high * BINS) + 1)]
        return max(candidates, key=lambda threshold: (self.counts_at(threshold).dice, -abs(threshold - 0.5)))
