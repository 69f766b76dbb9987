"""Pore scores as a MONAI metric, for the evaluators of a training."""

from __future__ import annotations

from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric

from pipeline.metrics.pore_counts import PoreCounts


class PoreMetric(CumulativeIterationMetric):
    """One score of :class:`PoreCounts`, over all images that were seen.

    Args:
        score: name of the score: ``dice``, ``iou``, ``precision``, ``recall`` or ``porosity_error``.
        pooled: True: counts are added over images first, so that each pixel weighs the same;
            False: the mean of the images' scores, undefined ones left out.

    Raises:
        ValueError: for a score that :class:`PoreCounts` does not have.
    """

    def __init__(self, score: str, pooled: bool) -> None:
        super().__init__()
        if not isinstance(getattr(PoreCounts, score, None), property):
            raise ValueError(f"PoreCounts has no score {score!r}")
        self.score = score
        self.pooled = pooled

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **_: Any) -> torch.Tensor:
        if y is None:
            raise ValueError("a pore score needs the truth")
        counts = [PoreCounts.of(p, t) for p, t in zip(y_pred, y, strict=True)]
        return torch.tensor([[c.true_positive, c.false_positive, c.true_negative, c.false_negative] for c in counts])

    def aggregate(self) -> float:
        """The score over everything since the last reset; 0 for no image or where it is undefined for all."""
        images = [PoreCounts(*row) for row in self.get_buffer().tolist()]
        if self.pooled:
            images = [sum(images, PoreCounts())]
        scores = torch.tensor([getattr(counts, self.score) for counts in images], dtype=torch.float64)
        return float(torch.nan_to_num(scores.nanmean()))
