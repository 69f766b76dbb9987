"""The scores of one phase over the images of an evaluation: tables, summary, and what the log says of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline.foreground.whole_image import normalised_image
from pipeline.metrics import PoreCounts, PoreScores, ProbabilityHistogram, Tolerances, TruePores, otsu_mask
from pipeline.metrics.threshold import BINS, CLEAR_GAIN
from pipeline.phases import PORE

logger = logging.getLogger("vlsenet")

#: ends of the search for a threshold that suits images
_FIRST, _LAST = 1 / BINS, 1 - 1 / BINS
#: fewer say little about other images
_ENOUGH_IMAGES = 10
#: less of the images, where there is none, is no finding
_SOME_AREA = 1e-3
#: in the table on the screen
_SHOWN = ("dice", "cl_dice", "iou", "precision", "recall", "porosity_true", "porosity_predicted", "otsu_dice")


class PhaseEvaluation:
    """Collects the scores of one phase, image by image and pooled.

    Args:
        phase: its name; Otsu's threshold, which finds what is dark, is compared where it is pore.
        tolerances: of the surface Dice, the boundary F1 and the recall of small pores.
        among_several: whether there are other phases: then its scores are those of areas, not of porosity, and the log
            names it.
    """

    def __init__(self, phase: str, tolerances: Tolerances, among_several: bool) -> None:
        self.phase = phase
        self._tolerances, self._among_several = tolerances, among_several
        self._rows: list[dict[str, Any]] = []
        self._objects: list[pd.DataFrame] = []
        self._pooled: PoreScores | None = None
        self._pooled_other: dict[str, PoreCounts] = {}
        self._probabilities: ProbabilityHistogram | None = None

    def add(
        self,
        about: Mapping[str, Any],
        image: np.ndarray,
        predicted: np.ndarray,
        target: np.ndarray,
        probability: np.ndarray | None,
        further: Mapping[str, Any],
        taken: np.ndarray | None = None,
    ) -> None:
        """Score an image.

        Args:
            about: its name and source, the first columns of the tables.
            image: grey values (H, W).
            predicted: mask (H, W).
            target: 1 the phase, 0 not, below 0 where it is not known and nothing counts, (H, W).
            probability: (H, W), where there is one.
            further: last columns of the table of images.
            taken: pixels (H, W) that another phase takes whatever the threshold of this one is; None: none are.
        """
        known = target >= 0
        predicted, truth = predicted & known, target > 0
        objects = TruePores.of(predicted, truth)
        scores = PoreScores.of(predicted, truth, probability, objects, self._tolerances, known)
        label = torch.from_numpy(target)
        other = {}
        if self.phase == PORE:
            otsu = otsu_mask(normalised_image(image, str(about["name"])))
            other["otsu_dice"] = PoreCounts.of(torch.from_numpy(otsu[known]), torch.from_numpy(truth[known]))
        if probability is not None:
            histogram = ProbabilityHistogram.of(torch.from_numpy(probability), label)
            other["dice_at_half"] = histogram.counts_at(0.5)
            if taken is not None:
                histogram = ProbabilityHistogram.of(torch.from_numpy(np.where(taken, 0, probability)), label)
            self._probabilities = histogram if self._probabilities is None else self._probabilities + histogram
        self._pooled = scores if self._pooled is None else self._pooled + scores
        for name, compared in other.items():
            self._pooled_other[name] = self._pooled_other.get(name, PoreCounts()) + compared
        row = {**about, **scores.scores(), **{name: compared.dice for name, compared in other.items()}}
        self._rows.append(row | {"pixels": scores.pixels.pixels, **further})
        self._objects.append(pd.DataFrame({**about, **objects.columns()}))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def table(self) -> pd.DataFrame:
        """The scores of each image, a row each, by name."""
        return self._renamed(pd.DataFrame(self._rows).sort_values("name", ignore_index=True))

    @property
    def objects(self) -> pd.DataFrame:
        """Every true pore, or object of the phase, a row each."""
        return pd.concat(self._objects, ignore_index=True).sort_values("name", kind="stable", ignore_index=True)

    def summary(self) -> dict[str, Any]:
        """Means over the images, pooled scores, the counts that they come from, and the threshold that suits them."""
        table, pooled = self.table, self._pooled_scores()
        return {
            "images": len(table),
            "pixels": int(table["pixels"].sum()),
            "mean": {score: as_json(table[score].mean()) for score in pooled},
            "std": {score: as_json(table[score].std()) for score in pooled},
            "pooled": {score: as_json(value) for score, value in pooled.items()},
            "counts": {} if self._pooled is None else self._pooled.to_dict(),
            "suited_threshold": self._suited_threshold(),
        }

    def printed(self) -> str:
        """The table for the screen, with the mean over images and the pooled scores."""
        table, pooled = self.table, self._pooled_scores()
        scores = [self._name(score) for score in _SHOWN if self._name(score) in pooled]
        mean = {"name": "mean of images", "source": "", **table[scores].mean().to_dict()}
        total = {"name": "pooled pixels", "source": "", **{score: pooled[score] for score in scores}}
        rows = pd.concat([table[["name", "source", *scores]], pd.DataFrame([mean, total])], ignore_index=True)
        return rows.to_string(index=False, float_format=lambda value: f"{value:.3f}")

    def _name(self, score: str) -> str:
        return score.replace("porosity", "area") if self._among_several else score

    def _renamed(self, table: pd.DataFrame) -> pd.DataFrame:
        return table.rename(columns=self._name)

    def _pooled_scores(self) -> dict[str, float]:
        scores = {} if self._pooled is None else self._pooled.scores()
        scores |= {name: compared.dice for name, compared in self._pooled_other.items()}
        return {self._name(score): value for score, value in scores.items()}

    @property
    def _area(self) -> str:
        return "porosity" if self.phase == PORE and not self._among_several else f"area of {self.phase}"

    def _best_threshold(self) -> dict[str, float] | None:
        if self._probabilities is None:
            return None
        threshold = self._probabilities.best_threshold(_FIRST, _LAST)
        counts = self._probabilities.counts_at(threshold)
        return {"threshold": threshold, "dice": counts.dice, "porosity": counts.porosity_predicted}

    def _suited_threshold(self) -> dict[str, float] | None:
        """The best threshold, if it separates pores from rock; in images without pores it only finds nothing."""
        best = self._best_threshold()
        if best is None or self._pooled is None:
            return None
        pixels = self._pooled.pixels
        separates = pixels.porosity_true > 0 and best["dice"] >= pixels.dice_of_all_pore + CLEAR_GAIN
        inside = _FIRST < best["threshold"] < _LAST  # where the search ends, it has found nothing
        return best if separates and inside else None

    def log_thresholds(self, used: float | None, own: float | None) -> None:
        """What the threshold in use gives, and whether another one would suit these images better.

        Args:
            used: the threshold; None where the masks came without one.
            own: the model's.
        """
        if self._pooled is None:
            return
        pixels, best, suited = self._pooled.pixels, self._best_threshold(), self._suited_threshold()
        if used is not None:
            logger.info(
                "threshold %s: Dice %.3f, %s %.4f (true: %.4f)",
                _threshold_text(used, own),
                pixels.dice,
                self._area,
                pixels.porosity_predicted,
                pixels.porosity_true,
            )
        if suited is not None and suited["dice"] >= pixels.dice + CLEAR_GAIN:
            images = len(self._rows)
            logger.info(
                "a threshold of %.3g%s, chosen on these %d images themselves, would give them a Dice of %.3f, %s %.4f "
                "(true: %.4f); %s",
                suited["threshold"],
                " (those of the other phases as they are)" if self._among_several else "",
                images,
                suited["dice"],
                self._area,
                suited["porosity"],
                pixels.porosity_true,
                f"--threshold {self._as_option(suited['threshold'])} takes it; score it on other images of this kind "
                "first"
                if images >= _ENOUGH_IMAGES
                else f"fewer than {_ENOUGH_IMAGES} images are too few to recommend it for others",
            )
        elif best is not None and pixels.porosity_true > 0:
            dice = max(best["dice"], pixels.dice)  # the threshold in use may lie beyond the others
            if dice < pixels.dice_of_all_pore + CLEAR_GAIN:
                logger.warning(
                    "on these images the model is %s better than calling everything %s: Dice %.3f at its "
                    "best threshold from %g to %g, and %.3f with everything %s",
                    "hardly" if dice > pixels.dice_of_all_pore else "no",
                    self.phase,
                    dice,
                    _FIRST,
                    _LAST,
                    pixels.dice_of_all_pore,
                    self.phase,
                )

    def warn_of_simpler(self) -> None:
        """Say so where an answer that needs no training is better.

        Otsu's threshold, or everything, by Dice; nothing, whose Dice is 0 wherever there is a pore, by its porosity.
        """
        if self._pooled is None:
            return
        pixels = self._pooled.pixels
        if pixels.porosity_predicted >= max(2 * pixels.porosity_true, _SOME_AREA):
            logger.warning(
                "on these images no %s anywhere is as near to the true %s (%.4f) as the model, which finds %.4f",
                self.phase,
                self._area,
                pixels.porosity_true,
                pixels.porosity_predicted,
            )
        if pixels.porosity_true == 0:
            return
        dice = pixels.dice
        otsu = self._pooled_other.get("otsu_dice")
        if otsu is not None and otsu.dice >= dice + CLEAR_GAIN:
            logger.warning(
                "on these images Otsu's threshold is better than the model: Dice %.3f, and %.3f by the model",
                otsu.dice,
                dice,
            )
        elif pixels.dice_of_all_pore >= dice + CLEAR_GAIN:
            logger.warning(
                "on these images calling everything %s is better than the model so: Dice %.3f, and %.3f by the model",
                self.phase,
                pixels.dice_of_all_pore,
                dice,
            )

    def _as_option(self, threshold: float) -> str:
        return f"'{self.phase}={threshold:.3g}'" if self._among_several else f"{threshold:.3g}"


def _threshold_text(used: float, own: float | None) -> str:
    if own is None:
        return f"{used:.3g}"
    return f"{used:.3g} (the model's{'' if used == own else f': {own:.3g}'})"


def as_json(value: float) -> float | None:
    """A number for JSON, which has no NaN: an undefined score is null."""
    return float(value) if np.isfinite(value) else None
