"""Scores of a model on labelled images, image by image and pooled, beside Otsu's threshold."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from pipeline.atomic import atomic_path
from pipeline.data import DatasetIndex, Sample
from pipeline.metrics import CentrelineCounts, PoreCounts, otsu_mask
from pipeline.visual import error_overlay, write_png
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.provenance import versions

logger = logging.getLogger("vlsenet")

_SCORES = ("dice", "iou", "precision", "recall", "porosity_true", "porosity_predicted", "porosity_error")


def evaluation_samples(index: DatasetIndex, split: str, model: TrainedModel) -> list[Sample]:
    """The samples of a split (or ``all``), with a warning for those that the model was trained on.

    Raises:
        UserError: the split is empty.
    """
    samples = list(index.samples) if split == "all" else index.select(split)
    trained_on = [s.name for s in samples if s.image_sha256 in set(model.data["train_images"])]
    if trained_on:
        logger.warning(
            "%d of %d images were in the model's training data, so that their scores say little: %s",
            len(trained_on),
            len(samples),
            ", ".join(trained_on[:6]),
        )
    return samples


def evaluation_about(
    model: TrainedModel, index: DatasetIndex, split: str, threshold: float, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What a summary says of how its numbers came about; ``settings`` are those of the inference."""
    return {
        "checkpoint": str(model.path),
        "checkpoint_sha256": model.sha256,
        "network": model.network_settings,
        "dataset_dir": str(index.root),
        "data_fingerprint": index.fingerprint()["hash"],
        "split": split,
        "threshold": threshold,
        **settings,
        "pore_label": index.pore_label,
        "versions": versions(),
    }


class EvaluationReport:
    """Collects the scores of each image; at the end writes them, and prints a table.

    Writes ``per_image.csv``, ``summary.json`` and ``overlays/NAME.png`` (true positive, false positive, false
    negative) to ``output_dir``. ``cl_dice`` is the centreline Dice, ``otsu_dice`` the Dice of Otsu's threshold on the
    same image, and ``dice_at_half`` that of a probability of 0.5, where the evaluator's output has a ``probability``.

    Args:
        output_dir: folder of the results.
        about: goes into the summary as it is.
    """

    def __init__(self, output_dir: str, about: Mapping[str, Any]) -> None:
        self._output_dir = Path(output_dir)
        self._about = dict(about)
        self._rows: list[dict[str, Any]] = []
        self._pooled = PoreCounts()
        self._pooled_centreline = CentrelineCounts()
        self._pooled_other = {"otsu_dice": PoreCounts()}

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Collect from ``evaluator``, whose output holds image, mask (``pred``) and label (1, H, W)."""
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _collect(self, evaluator: SupervisedEvaluator) -> None:
        for batch, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            image = np.asarray(output["image"].cpu())[0]
            mask, truth = output["pred"].cpu(), output["label"].cpu()
            pores, true_pores = np.asarray(mask)[0] > 0, np.asarray(truth)[0] > 0
            counts = PoreCounts.of(mask, truth)
            centreline = CentrelineCounts.of(pores, true_pores)
            other = {"otsu_dice": PoreCounts.of(torch.from_numpy(otsu_mask(image)), truth[0])}
            if "probability" in output:
                other["dice_at_half"] = PoreCounts.of(output["probability"].cpu() >= 0.5, truth)
            self._pooled += counts
            self._pooled_centreline += centreline
            for name, compared in other.items():
                self._pooled_other[name] = self._pooled_other.get(name, PoreCounts()) + compared
            row = {"name": batch["name"], "source": batch["source"]}
            row |= {score: getattr(counts, score) for score in _SCORES} | {"cl_dice": centreline.cl_dice}
            row |= {name: compared.dice for name, compared in other.items()}
            self._rows.append({**row, "pixels": counts.pixels})
            picture = error_overlay(image, pores, true_pores)
            write_png(self._output_dir / "overlays" / f"{batch['name']}.png", picture)

    def _write(self, _: SupervisedEvaluator) -> None:
        table = pd.DataFrame(self._rows).sort_values("name", ignore_index=True)
        with atomic_path(self._output_dir / "summary.json") as partial:
            partial.write_text(json.dumps(self._summary(table), indent=2, allow_nan=False))
        with atomic_path(self._output_dir / "per_image.csv") as partial:
            table.to_csv(partial, index=False, float_format="%.6f")
        print(_printed(table, self._pooled_scores()))
        logger.info("scores and overlays: %s", self._output_dir)

    def _pooled_scores(self) -> dict[str, float]:
        scores = {score: getattr(self._pooled, score) for score in _SCORES}
        scores["cl_dice"] = self._pooled_centreline.cl_dice
        return scores | {name: compared.dice for name, compared in self._pooled_other.items()}

    def _summary(self, table: pd.DataFrame) -> dict[str, Any]:
        pooled = self._pooled_scores()
        return {
            **self._about,
            "images": len(table),
            "pixels": self._pooled.pixels,
            "mean": {score: _number(table[score].mean()) for score in pooled},
            "std": {score: _number(table[score].std()) for score in pooled},
            "pooled": {score: _number(value) for score, value in pooled.items()},
            "counts": {
                name: getattr(self._pooled, name)
                for name in ("true_positive", "false_positive", "true_negative", "false_negative")
            },
        }


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
