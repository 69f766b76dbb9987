"""The scores of a prompt audit: counted for each condition and phase, and their means over the phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from pipeline.metrics import PoreCounts

#: scores over all pixels together; the error of the area is a mean over the images
POOLED = ("dice", "iou", "precision", "recall")


@dataclass
class Tally:
    """The counts of one condition and phase."""

    counts: PoreCounts = field(default_factory=PoreCounts)
    area_errors: list[float] = field(default_factory=list)
    changed: float = 0.0
    flipped: int = 0

    def add(
        self, probability: torch.Tensor, own: torch.Tensor, truth: torch.Tensor, threshold: float, area_error: str
    ) -> dict[str, float]:
        """Count an image, and give its own scores.

        Args:
            probability: of the pixels whose truth is known, (P,).
            own: the same with the phase's own text.
            truth: 1 the phase, 0 not.
            threshold: pixels at or above it are of the phase.
            area_error: what the error of the area is called.
        """
        mask = probability >= threshold
        one = Tally(
            PoreCounts.of(mask, truth),
            changed=float((probability - own).abs().sum(dtype=torch.float64)),
            flipped=int((mask != (own >= threshold)).sum()),
        )
        one.area_errors.append(one.counts.porosity_error)
        self.counts += one.counts
        self.area_errors += one.area_errors
        self.changed += one.changed
        self.flipped += one.flipped
        return one.scores(area_error)

    def scores(self, area_error: str) -> dict[str, float]:
        """All scores by name; NaN where one is undefined."""
        return {
            **{score: getattr(self.counts, score) for score in POOLED},
            area_error: float(np.mean(self.area_errors)),
            "changed_probability": self.changed / self.counts.pixels,
            "flipped_pixels": self.flipped / self.counts.pixels,
        }


class AuditScores:
    """Counts images under conditions, phase by phase; pixels whose phase is not known count nowhere.

    Args:
        conditions: names of those that are run, the own text first.
        phases: names, in the order of the probabilities' channels.
        thresholds: of each phase; the same in every condition.
    """

    def __init__(self, conditions: Sequence[str], phases: Sequence[str], thresholds: Sequence[float]) -> None:
        self.several = len(phases) > 1
        self.area_error = "area_error" if self.several else "porosity_error"
        self.names = (*POOLED, self.area_error, "changed_probability", "flipped_pixels")
        self._own_condition = conditions[0]
        self._phases, self._thresholds = tuple(phases), tuple(thresholds)
        self._tallies: dict[str, dict[str, Tally]] = {name: {} for name in conditions}
        self._own: tuple[str, torch.Tensor] = ("", torch.empty(0))
        #: a row for each image and condition, and for each phase where there are several
        self.images: list[dict[str, Any]] = []

    def add(self, name: str, condition: str, probability: torch.Tensor, truth: torch.Tensor) -> None:
        """Count an image under a condition.

        Args:
            name: of the image.
            condition: its name.
            probability: of each phase, (K, H, W).
            truth: 1 the phase, 0 not, below 0 where it is not known, (K, H, W).

        Raises:
            ValueError: the image was not counted with its own text just before.
        """
        if condition == self._own_condition:
            self._own = name, probability
        of, own = self._own
        if of != name:
            raise ValueError(f"{name}: its own prompt must come before the others")
        for number, (phase, threshold) in enumerate(zip(self._phases, self._thresholds, strict=True)):
            known = truth[number] >= 0
            if known.any():
                pixels = (probability[number][known], own[number][known], truth[number][known])
                tally = self._tallies[condition].setdefault(phase, Tally())
                row = {"name": name, "condition": condition, **({"phase": phase} if self.several else {})}
                self.images.append({**row, **tally.add(*pixels, threshold, self.area_error)})

    def of_phases(self, condition: str) -> dict[str, dict[str, float]]:
        """The scores of each phase that any image has labels for; empty for a condition that was not run."""
        tallies = self._tallies.get(condition, {})
        return {phase: tallies[phase].scores(self.area_error) for phase in self._phases if phase in tallies}

    def of(self, condition: str) -> dict[str, float]:
        """The scores of a condition, of several phases their means over those where a score is defined."""
        return _means(list(self.of_phases(condition).values()))


def _means(phases: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each score over the phases; that of a single phase as it is."""
    if len(phases) < 2:
        return dict(phases[0]) if phases else {}
    defined = {score: [one[score] for one in phases if one[score] == one[score]] for score in phases[0]}
    return {score: float(np.mean(values)) if values else float("nan") for score, values in defined.items()}
