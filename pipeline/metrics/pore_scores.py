"""All scores of a pore mask together, of one image or pooled over many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from pipeline.metrics.boundary_counts import BoundaryCounts
from pipeline.metrics.calibration import Calibration
from pipeline.metrics.cl_dice import CentrelineCounts
from pipeline.metrics.pore_counts import Counts, PoreCounts
from pipeline.metrics.pore_objects import PoreObjects, SmallPores, TruePores

_OF_PIXELS = (
    *("dice", "iou", "precision", "recall"),
    *("porosity_true", "porosity_predicted", "porosity_error", "porosity_error_relative"),
)


@dataclass(frozen=True)
class Tolerances:
    """What two of the scores leave to choose, and what a small pore is.

    Attributes:
        surface: of the surface Dice, px.
        boundary: of the boundary F1, px.
        small_pore: area up to which a pore is small, px.
    """

    surface: float = 1.0
    boundary: float = 2.0
    small_pore: float = 25.0


@dataclass(frozen=True, eq=False)
class PoreScores(Counts):
    """Counts from which all scores follow: pooled scores are those of all pixels together.

    Attributes:
        pixels: for Dice, IoU, precision, recall and porosity.
        centreline: for the centreline Dice.
        surface: edges at the tolerance of the surface Dice.
        boundary: edges at the tolerance of the boundary F1.
        objects: for the Betti-0 error, and broken, merged, missed and spurious pores.
        small: for the recall of small pores.
        calibration: of the probabilities; None where only a mask is known.
    """

    pixels: PoreCounts
    centreline: CentrelineCounts
    surface: BoundaryCounts
    boundary: BoundaryCounts
    objects: PoreObjects
    small: SmallPores
    calibration: Calibration | None

    @classmethod
    def of(
        cls,
        predicted: np.ndarray,
        truth: np.ndarray,
        probability: np.ndarray | None,
        pores: TruePores,
        tolerances: Tolerances,
        known: np.ndarray | None = None,
    ) -> PoreScores:
        """Count over two masks (H, W), what is above 0 is pore, and a probability map (H, W) where there is one.

        ``pores`` are the image's own (:meth:`TruePores.of`), which the caller may need too.

        Pixels that are not ``known`` (H, W) count nowhere; both masks are 0 there.

        Raises:
            ValueError: of different shapes.
        """
        counted = np.s_[:] if known is None else known
        surface, boundary = BoundaryCounts.of(predicted, truth, (tolerances.surface, tolerances.boundary))
        return cls(
            PoreCounts.of(torch.from_numpy(predicted[counted] > 0), torch.from_numpy(truth[counted] > 0)),
            CentrelineCounts.of(predicted, truth),
            surface,
            boundary,
            PoreObjects.of(predicted, truth),
            SmallPores.among(pores, tolerances.small_pore),
            None if probability is None else Calibration.of(probability[counted], truth[counted]),
        )

    def scores(self) -> dict[str, float]:
        """Every score by its name; NaN where it is undefined."""
        scores: dict[str, float] = {
            **{name: getattr(self.pixels, name) for name in _OF_PIXELS},
            "surface_dice": self.surface.surface_dice,
            "cl_dice": self.centreline.cl_dice,
            "betti0_error": self.objects.betti0_error,
            "broken_pores": self.objects.broken,
            "merged_pores": self.objects.merged,
            "missed_pores": self.objects.missed,
            "spurious_pores": self.objects.spurious,
            "boundary_f1": self.boundary.boundary_f1,
            "small_pore_recall": self.small.recall,
        }
        if self.calibration is not None:
            scores["calibration_error"] = self.calibration.expected_calibration_error
            scores["brier"] = self.calibration.brier
        return scores

    def to_dict(self) -> dict[str, Any]:
        """All counts as JSON's types, to be pooled with others later."""
        return {
            part: None if counts is None else {name: np.asarray(value).tolist() for name, value in counts.items()}
            for part, counts in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, counts: Mapping[str, Any]) -> PoreScores:
        """What :meth:`to_dict` gave.

        Raises:
            KeyError, TypeError: something else.
        """
        bins: dict[str, Any] = {name: np.asarray(values)[()] for name, values in (counts["calibration"] or {}).items()}
        return cls(
            PoreCounts(**counts["pixels"]),
            CentrelineCounts(**counts["centreline"]),
            BoundaryCounts(**counts["surface"]),
            BoundaryCounts(**counts["boundary"]),
            PoreObjects(**counts["objects"]),
            SmallPores(**counts["small"]),
            Calibration(**bins) if bins else None,
        )
