"""Pore scores as a MONAI metric, for the evaluators of a training."""

from __future__ import annotations

from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric

from pipeline.metrics.pore_counts import PoreCounts
from pipeline.metrics.threshold import BINS, ProbabilityHistogram, proven_threshold

#: the metrics that are no score: the threshold of the model, and that of the scores
THRESHOLD, BEST_THRESHOLD = "threshold", "best_threshold"


class PoreMetric(CumulativeIterationMetric):
    """A score of :class:`PoreCounts` over all images that were seen, at the threshold of the best pooled Dice.

    Networks trained on one micrograph draw the edge of a pore a little too tight or too wide on another; the best
    threshold shows what a network has learned, apart from that.

    Args:
        score: name of the score: ``dice``, ``iou``, ``precision``, ``recall`` or ``porosity_error``; or
            ``best_threshold``, that of these scores; or ``threshold``, that which the model takes along
            (`proven_threshold`).
        pooled: True: pixels of all images are counted together; False: the mean of the images' scores, undefined
            ones left out.

    Raises:
        ValueError: for a score that :class:`PoreCounts` does not have.
    """

    def __init__(self, score: str, pooled: bool) -> None:
        super().__init__()
        if score not in (THRESHOLD, BEST_THRESHOLD) and not isinstance(getattr(PoreCounts, score, None), property):
            raise ValueError(f"PoreCounts has no score {score!r}")
        self.score = score
        self.pooled = pooled

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **_: Any) -> torch.Tensor:
        if y is None:
            raise ValueError("a pore score needs the truth")
        histograms = [ProbabilityHistogram.of(p, t) for p, t in zip(y_pred, y, strict=True)]
        return torch.stack([torch.cat([histogram.other, histogram.pore]) for histogram in histograms])

    def _sync(self) -> None:
        # of several processes that train together one validates, on all images: the others would never answer
        if self._buffers is not None and not self._synced:
            self._synced_tensors = [torch.stack(values) for values in self._buffers]
            self._synced = True

    def aggregate(self) -> float:
        """The score over everything since the last reset; 0 where it is undefined for all images."""
        images = [ProbabilityHistogram(row[:BINS], row[BINS:]) for row in self.get_buffer()]
        if self.score == THRESHOLD:
            return proven_threshold(images)
        pooled = images[0]
        for image in images[1:]:
            pooled = pooled + image
        threshold = pooled.best_threshold()
        if self.score == BEST_THRESHOLD:
            return threshold
        counts = [histogram.counts_at(threshold) for histogram in ([pooled] if self.pooled else images)]
        scores = torch.tensor([getattr(count, self.score) for count in counts], dtype=torch.float64)
        return float(torch.nan_to_num(scores.nanmean()))
