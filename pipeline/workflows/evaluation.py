"""Scores of a model on labelled images, image by image and pooled, compared with Otsu's threshold."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from pipeline.data import DatasetIndex, Sample
from pipeline.files import atomic_path, name_that_fits, write_text
from pipeline.foreground.measurement import normalised_image
from pipeline.metrics import PoreCounts, PoreScores, ProbabilityHistogram, Tolerances, TruePores, otsu_mask
from pipeline.metrics.threshold import BINS, CLEAR_GAIN
from pipeline.tracking.provenance import versions
from pipeline.visual import error_overlay, mask_overlay, write_png
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")

#: ends of the search for a threshold that suits images
_FIRST, _LAST = 1 / BINS, 1 - 1 / BINS
#: fewer say little about other images
_ENOUGH_IMAGES = 10


def evaluation_samples(index: DatasetIndex, split: str, model: TrainedModel) -> list[Sample]:
    """The samples of a split (or ``all``), with a warning for those that the model was trained on.

    Raises:
        UserError: the split is empty.
    """
    samples = list(index.samples) if split == "all" else index.select(split)
    train_images = set(model.data["train_images"])
    trained_on = [sample.name for sample in samples if sample.image_sha256 in train_images]
    if trained_on:
        logger.warning(
            "%d of %d images were in the model's training data, so their scores say little: %s",
            len(trained_on),
            len(samples),
            ", ".join(trained_on[:6]),
        )
    return samples


def evaluation_about(
    model: TrainedModel, index: DatasetIndex, split: str, threshold: float, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """How the numbers of a summary were obtained; ``settings`` are those of the prediction, and the text asked."""
    return {
        "checkpoint": str(model.path),
        "checkpoint_sha256": model.sha256,
        "network": model.network_settings,
        "dataset_dir": ", ".join(map(str, index.roots)),
        "data_fingerprint": index.fingerprint()["hash"],
        "split": split,
        "threshold": threshold,
        "model_threshold": model.threshold,
        **settings,
        "reads_prompt": model.reads_prompt,
        "pore_label": index.pore_label,
        "versions": versions(),
    }


class EvaluationReport:
    """Collects the scores of each image; at the end writes them, and prints a table.

    Writes to ``output_dir``:

    - ``per_image.csv``: the scores of :class:`pipeline.metrics.PoreScores`, and the text asked; ``otsu_dice`` is the
      Dice of Otsu's threshold on the same image without its shading, and ``dice_at_half`` that of a probability of
      0.5, where the evaluator's output has a ``probability``;
    - ``per_pore.csv``: every true pore, and how much of it was found (:class:`pipeline.metrics.TruePores`);
    - ``summary.json``: means over the images, pooled scores, the counts that they come from, and ``suited_threshold``:
      the threshold of the best pooled Dice on these images, with that Dice and the pooled porosity; null where that
      Dice is not clearly better than that of calling everything pore. It was chosen with the true masks, so it is not a
      score of the model; it is for further images of the same kind;
    - ``overlays/NAME.png`` (true positive, false positive, false negative) and ``truth/NAME.png`` (true pores).

    Args:
        output_dir: folder of the results.
        about: copied into the summary.
        tolerances: of the surface Dice, the boundary F1 and the recall of small pores.
        pixel_sizes: nm, by the image's name, where known.
    """

    def __init__(
        self,
        output_dir: str,
        about: Mapping[str, Any],
        tolerances: Tolerances | None = None,
        pixel_sizes: Mapping[str, float] | None = None,
    ) -> None:
        self._output_dir = Path(output_dir)
        self._about = dict(about)
        self._tolerances = tolerances or Tolerances()
        self._pixel_sizes = pixel_sizes or {}
        self._rows: list[dict[str, Any]] = []
        self._pores: list[pd.DataFrame] = []
        self._pooled: PoreScores | None = None
        self._pooled_other: dict[str, PoreCounts] = {}
        self._probabilities: ProbabilityHistogram | None = None

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Collect from ``evaluator``, whose output holds image, mask (``pred``) and label (1, H, W)."""
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _collect(self, evaluator: SupervisedEvaluator) -> None:
        for batch, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            image = np.asarray(output["image"].cpu())[0]
            label = output["label"].cpu()[0]
            predicted, truth = np.asarray(output["pred"].cpu())[0] > 0, np.asarray(label) > 0
            probability = np.asarray(output["probability"].float().cpu())[0] if "probability" in output else None
            pores = TruePores.of(predicted, truth)
            scores = PoreScores.of(predicted, truth, probability, pores, self._tolerances)
            other = {
                "otsu_dice": PoreCounts.of(torch.from_numpy(otsu_mask(normalised_image(image, batch["name"]))), label)
            }
            if probability is not None:
                histogram = ProbabilityHistogram.of(torch.from_numpy(probability), label)
                other["dice_at_half"] = histogram.counts_at(0.5)
                self._probabilities = histogram if self._probabilities is None else self._probabilities + histogram
            self._pooled = scores if self._pooled is None else self._pooled + scores
            for name, compared in other.items():
                self._pooled_other[name] = self._pooled_other.get(name, PoreCounts()) + compared
            row = {"name": batch["name"], "source": batch["source"], **scores.scores()}
            row |= {name: compared.dice for name, compared in other.items()}
            row |= {"pixels": scores.pixels.pixels, "pixel_size_nm": self._pixel_sizes.get(batch["name"])}
            row["prompt"] = batch["prompt"]
            self._rows.append(row)
            measured = {"name": batch["name"], "source": batch["source"], **pores.columns()}
            self._pores.append(pd.DataFrame(measured))
            for folder, picture in {
                "overlays": error_overlay(image, predicted, truth),
                "truth": mask_overlay(image, truth),
            }.items():
                write_png(self._output_dir / folder / name_that_fits(batch["name"], after=".png"), picture)

    def _write(self, _: SupervisedEvaluator) -> None:
        table = pd.DataFrame(self._rows).sort_values("name", ignore_index=True)
        pores = pd.concat(self._pores, ignore_index=True).sort_values("name", kind="stable", ignore_index=True)
        write_text(self._output_dir / "summary.json", json.dumps(self._summary(table), indent=2, allow_nan=False))
        for name, rows, form in (("per_image.csv", table, "%.6f"), ("per_pore.csv", pores, "%.4g")):
            with atomic_path(self._output_dir / name) as partial:
                rows.to_csv(partial, index=False, float_format=form)
        print(_printed(table, self._pooled_scores()))
        self._log_thresholds()
        self._warn_of_simpler()
        logger.info("scores and overlays: %s", self._output_dir)

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

    def _log_thresholds(self) -> None:
        if self._pooled is None:
            return
        pixels, best, suited = self._pooled.pixels, self._best_threshold(), self._suited_threshold()
        if "threshold" in self._about:
            logger.info(
                "threshold %s: Dice %.3f, porosity %.4f (true: %.4f)",
                _threshold_text(self._about),
                pixels.dice,
                pixels.porosity_predicted,
                pixels.porosity_true,
            )
        if suited is not None and suited["dice"] >= pixels.dice + CLEAR_GAIN:
            images = len(self._rows)
            logger.info(
                "a threshold of %.3g, chosen on these %d images themselves, would give them a Dice of %.3f, porosity "
                "%.4f (true: %.4f); %s",
                suited["threshold"],
                images,
                suited["dice"],
                suited["porosity"],
                pixels.porosity_true,
                f"--threshold {suited['threshold']:.3g} takes it; score it on other images of this kind first"
                if images >= _ENOUGH_IMAGES
                else f"fewer than {_ENOUGH_IMAGES} images are too few to recommend it for others",
            )
        elif best is not None and pixels.porosity_true > 0:
            dice = max(best["dice"], pixels.dice)  # the threshold in use may lie beyond the others
            if dice < pixels.dice_of_all_pore + CLEAR_GAIN:
                logger.warning(
                    "on these images the model is %s better than calling everything pore: Dice %.3f at its best "
                    "threshold from %g to %g, and %.3f with everything pore",
                    "hardly" if dice > pixels.dice_of_all_pore else "no",
                    dice,
                    _FIRST,
                    _LAST,
                    pixels.dice_of_all_pore,
                )

    def _warn_of_simpler(self) -> None:
        """Say so where Otsu's threshold, which needs no training, has the better Dice."""
        if self._pooled is None or self._pooled.pixels.porosity_true == 0:
            return
        dice = self._pooled.pixels.dice
        otsu = self._pooled_other.get("otsu_dice")
        if otsu is not None and otsu.dice >= dice + CLEAR_GAIN:
            logger.warning(
                "on these images Otsu's threshold is better than the model: Dice %.3f, and %.3f by the model",
                otsu.dice,
                dice,
            )
        elif self._pooled.pixels.dice_of_all_pore >= dice + CLEAR_GAIN:
            logger.warning(
                "on these images calling everything pore is better than the model so: Dice %.3f, and %.3f by the model",
                self._pooled.pixels.dice_of_all_pore,
                dice,
            )

    def _pooled_scores(self) -> dict[str, float]:
        scores = {} if self._pooled is None else self._pooled.scores()
        return scores | {name: compared.dice for name, compared in self._pooled_other.items()}

    def _summary(self, table: pd.DataFrame) -> dict[str, Any]:
        pooled = self._pooled_scores()
        counts = {} if self._pooled is None else self._pooled.to_dict()
        return {
            **self._about,
            "tolerances": asdict(self._tolerances),
            "images": len(table),
            "pixels": int(table["pixels"].sum()),
            "mean": {score: _number(table[score].mean()) for score in pooled},
            "std": {score: _number(table[score].std()) for score in pooled},
            "pooled": {score: _number(value) for score, value in pooled.items()},
            "counts": counts,
            "suited_threshold": self._suited_threshold(),
        }


def _threshold_text(about: Mapping[str, Any]) -> str:
    own, used = about.get("model_threshold"), about["threshold"]
    if own is None:
        return f"{used:.3g}"
    return f"{used:.3g} (the model's{'' if used == own else f': {own:.3g}'})"


def _number(value: float) -> float | None:
    """JSON has no NaN: an undefined score is null."""
    return float(value) if np.isfinite(value) else None


def _printed(table: pd.DataFrame, pooled: Mapping[str, float]) -> str:
    scores = [
        "dice",
        "cl_dice",
        "iou",
        "precision",
        "recall",
        "porosity_true",
        "porosity_predicted",
        "otsu_dice",
    ]
    mean = {"name": "mean of images", "source": "", **table[scores].mean().to_dict()}
    total = {"name": "pooled pixels", "source": "", **{score: pooled[score] for score in scores}}
    rows = pd.concat([table[["name", "source", *scores]], pd.DataFrame([mean, total])], ignore_index=True)
    return rows.to_string(index=False, float_format=lambda value: f"{value:.3f}")
