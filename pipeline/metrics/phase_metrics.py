"""The scores of a validation, phase by phase, for the evaluators of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from ignite.engine import Engine
from ignite.metrics import Metric

from pipeline.metrics.pore_counts import PoreCounts
from pipeline.metrics.threshold import ProbabilityHistogram, proven_threshold
from pipeline.phases import PORE, metric_of

#: scores over the pixels of all images together, and, where it ends so, the mean of the images' own
_POOLED = ("dice", "iou", "precision", "recall")
_AREA_ERROR, _PER_IMAGE = "area_error", "dice_per_image"
THRESHOLD, BEST_THRESHOLD = "threshold", "best_threshold"

PREFIX = "val_"
#: the score that decides which model is best
KEY = f"{PREFIX}dice"


def metric_name(score: str, phase: str | None = None) -> str:
    """A score's name in MLflow: `val_dice` of all phases, `silt grain/val_dice` of one."""
    return PREFIX + score if phase is None else metric_of(phase, PREFIX + score)


class PhaseMetrics(Metric):
    """Scores over all images that were seen, each phase at the threshold of its best pooled Dice.

    Networks trained on one micrograph draw the edge of a pore a little too tight or too wide on another; the best
    threshold shows what a network has learned, apart from that. Pixels whose phase is not known count nowhere.

    As a key metric of a MONAI evaluator it writes all of these into `evaluator.state.metrics`:

    - of one phase: `val_dice`, `val_iou`, `val_precision`, `val_recall` (of all pixels together), `val_dice_per_image`
      and `val_porosity_error` (means over the images; for another phase than pore `val_area_error`),
      `val_best_threshold` (of these scores) and `val_threshold` (that which the model takes along, `proven_threshold`);
    - of several: the same for each phase, as in `silt grain/val_dice`, and the scores' means over the phases; of the
      errors `val_area_error`.

    Args:
        phases: their names.
    """

    def __init__(self, phases: Sequence[str], **ignites: Any) -> None:
        self._phases = tuple(phases)
        super().__init__(**ignites)

    def reset(self) -> None:
        """Forget all images."""
        self._images: list[list[ProbabilityHistogram]] = [[] for _ in self._phases]
        self._winning: list[list[ProbabilityHistogram]] = [[] for _ in self._phases]
        self._numbers: list[list[int]] = [[] for _ in self._phases]
        self._count = 0

    def update(self, output: tuple[Sequence[torch.Tensor], Sequence[torch.Tensor]]) -> None:
        """Count images: their probabilities and their targets, (K, H, W) each; the latter below 0 where not known."""
        for probability, target in zip(*output, strict=True):
            named = (target >= 0).flatten(1).any(1)
            most = torch.where(named[:, None, None], probability, -1).argmax(0)  # of equal ones the first, as in masks
            for number, (p, t) in enumerate(zip(probability, target, strict=True)):
                if named[number]:
                    image = ProbabilityHistogram.of(p, t)
                    self._images[number].append(image)
                    wins = ProbabilityHistogram.of(torch.where(most == number, p, 0), t) if len(target) > 1 else image
                    self._winning[number].append(wins)
                    self._numbers[number].append(self._count)
            self._count += 1

    def compute(self) -> dict[str, float]:
        """All scores by their name; 0 where one is undefined for all images."""
        each = {phase: phase_scores(images) for phase, images in zip(self._phases, self._images, strict=True) if images}
        if len(self._phases) == 1:
            (phase,) = self._phases
            error = "porosity_error" if phase == PORE else _AREA_ERROR
            return {metric_name(error if s == _AREA_ERROR else s): v for s, v in each.get(phase, {}).items()}
        together = [*_POOLED, _PER_IMAGE, _AREA_ERROR]
        means = {s: sum(scores[s] for scores in each.values()) / len(each) for s in together} if each else {}
        single = {metric_name(s, phase): v for phase, scores in each.items() for s, v in scores.items()}
        return {**{metric_name(s): v for s, v in means.items()}, **single}

    def areas(self) -> dict[str, list[dict[str, float]]]:
        """Area fractions of each image that was seen, by phase.

        Returns:
            The image's `number` from 0, what was `found`, what is `true`, and the `pixels` that they are of. Found is
            what is the most probable phase and reaches the threshold that the model takes along: what masks have, where
            those of all phases are alike.
        """
        result: dict[str, list[dict[str, float]]] = {}
        each = zip(self._phases, self._images, self._winning, self._numbers, strict=True)
        for phase, images, winning, numbers in each:
            threshold = proven_threshold(images) if images else 0.5
            counts = [image.counts_at(threshold) for image in winning]
            result[phase] = [
                {"number": n, "found": one.porosity_predicted, "true": one.porosity_true, "pixels": one.pixels}
                for n, one in zip(numbers, counts, strict=True)
            ]
        return result

    def completed(self, engine: Engine, name: str) -> None:
        """Write all scores into the evaluator's state.

        Raises:
            ValueError: it was attached under a name that is none of them.
        """
        scores = self.compute() or {KEY: 0.0}
        if name not in scores:
            raise ValueError(f"PhaseMetrics has no score {name!r}; attach it as {KEY!r}")
        engine.state.metrics.update(scores)


def phase_scores(images: Sequence[ProbabilityHistogram]) -> dict[str, float]:
    """The scores of one phase by their names without prefix, from the histograms of its images (not empty)."""
    pooled = images[0]
    for image in images[1:]:
        pooled = pooled + image
    threshold = pooled.best_threshold()
    counts = [image.counts_at(threshold) for image in images]
    together = pooled.counts_at(threshold)
    return {
        **{score: _mean([together], score) for score in _POOLED},
        _AREA_ERROR: _mean(counts, "porosity_error"),
        _PER_IMAGE: _mean(counts, "dice"),
        BEST_THRESHOLD: threshold,
        THRESHOLD: proven_threshold(images),
    }


def _mean(counts: Sequence[PoreCounts], score: str) -> float:
    values = torch.tensor([getattr(count, score) for count in counts], dtype=torch.float64)
    return float(torch.nan_to_num(values.nanmean()))
