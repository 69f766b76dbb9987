"""Thresholds of a probability: scores at all of them from one pass, the one that a model takes along, and Otsu's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from skimage.filters import threshold_otsu

from pipeline.metrics.pore_counts import Counts, PoreCounts

BINS = 256
#: of the thresholds that a training may choose: a network that has not learned yet must not call everything pore, and a
#: rare phase is drawn more often than it comes, which makes its probabilities high
LOWEST, HIGHEST = 0.2, 0.95
#: least gain in Dice that counts: of one threshold over another, and of a network over calling everything pore
CLEAR_GAIN = 0.01
#: how many standard errors below the best a Dice may lie and still count as good
_ERRORS = 2.0


def otsu_mask(image: np.ndarray) -> np.ndarray:
    """Pores by Otsu's threshold: every pixel at or below it, as pores are dark.

    Args:
        image: grey values (H, W), any scale.

    Returns:
        Boolean mask (H, W); all False for an image of one value, which has no threshold.
    """
    if image.min() == image.max():
        return np.zeros(image.shape, dtype=bool)
    return image <= threshold_otsu(image)


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
        """Count over a probability map (0 to 1) and a mask of equal shape, any number of dimensions.

        The mask is 1 in pores and 0 elsewhere; below 0 nothing is known, and nothing is counted.
        """
        bins = (probability * BINS).long().clamp_(0, BINS - 1).flatten()
        pore, other = truth.flatten() > 0, truth.flatten() == 0
        return cls(torch.bincount(bins[other], minlength=BINS), torch.bincount(bins[pore], minlength=BINS))

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


def proven_threshold(images: Sequence[ProbabilityHistogram]) -> float:
    """Of the thresholds whose pooled Dice is not clearly worse than the best one, the nearest to 0.5.

    The Dice is flat about its best threshold, and where it has its maximum on a few images is chance and those images'
    labeller. Clearly worse: by more than two standard errors of the difference, by the jackknife over images (Efron and
    Stein, Ann. Statist. 9, 1981), as in the one-standard-error rule (Breiman et al., 1984, section 3.4.3). One image
    proves nothing. Several of one micrograph prove what suits that one and its labeller, not how micrographs differ. A
    network that at no threshold is clearly better than calling everything pore proves nothing either: its best
    threshold would be one that does so.

    Args:
        images: probabilities of each validation image.

    Returns:
        A multiple of 1/256 from 0.2 to 0.95.
    """
    if len(images) == 1:
        return 0.5
    first, last = round(LOWEST * BINS), round(HIGHEST * BINS)
    thresholds = np.arange(first, last + 1) / BINS
    pore_bins, other_bins = [image.pore for image in images], [image.other for image in images]
    reaching = [_reaching(bins) for bins in (pore_bins, other_bins)]
    dice_anywhere = _dice(*(counts.sum(0) for counts in (*reaching, reaching[0][:, :1])))
    if dice_anywhere.max() < dice_anywhere[0] + CLEAR_GAIN:  # that at 0, where everything is pore
        return 0.5
    true_positive, false_positive = (counts[:, first : last + 1] for counts in reaching)
    pore = reaching[0][:, :1]
    together = [counts.sum(0) for counts in (true_positive, false_positive, pore)]
    dice = _dice(*together)
    nearness = -np.abs(thresholds - 0.5)
    best = np.lexsort((nearness, dice))[-1]
    each = zip(true_positive, false_positive, pore, strict=True)
    without = [_dice(*(all_ - one for all_, one in zip(together, image, strict=True))) for image in each]
    gain = np.array([one[best] - one for one in without])
    error = np.sqrt((len(images) - 1) * gain.var(0))
    as_good = dice[best] - dice <= _ERRORS * error
    return float(thresholds[as_good][nearness[as_good].argmax()])


def _reaching(bins: Sequence[torch.Tensor]) -> np.ndarray:
    """Pixels of each image whose probability reaches k / 256, (images, 256)."""
    return np.cumsum(torch.stack(list(bins)).cpu().numpy()[:, ::-1], axis=1)[:, ::-1]


def _dice(true_positive: np.ndarray, false_positive: np.ndarray, pore: np.ndarray) -> np.ndarray:
    """Dice for each threshold; 1 where there is no pore and none was found."""
    found = true_positive + false_positive
    empty = found + pore == 0
    return np.where(empty, 1.0, 2 * true_positive / np.where(empty, 1, found + pore))
