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
from pipeline.metrics import PoreCounts, otsu_mask
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


def evaluation_about(model: TrainedModel, index: DatasetIndex, split: str, threshold: float) -> dict[str, Any]:
    """What a summary says of how its numbers came about."""
    return {
        "checkpoint": str(model.path),
        "checkpoint_sha256": model.sha256,
        "network": model.network_settings,
        "dataset_dir": str(index.root),
        "data_fingerprint": index.fingerprint()["hash"],
        "split": split,
        "threshold": threshold,
        "pore_label": index.pore_label,
        "versions": versions(),
    }


class EvaluationReport:
    """Collects the scores of each image; at the end writes them, and prints a table.

    Writes ``per_image.csv``, ``summary.json`` and ``overlays/NAME.png`` (true positive, false positive, false
    negative) to ``output_dir``. ``otsu_dice`` is the Dice of Otsu's threshold on the same image.

    Args:
        output_dir: folder of the results.
        about: goes into the summary as it is.
    """

    def __init__(self, output_dir: str, about: Mapping[str, Any]) -> None:
        self._output_dir = Path(output_dir)
        self._about = dict(about)
        self._rows: list[dict[str, Any]] = []
        self._pooled = PoreCounts()
        self._pooled_otsu = PoreCounts()

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Collect from ``evaluator``, whose output holds image, mask (``pred``) and label (1, H, W)."""
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        evaluator.add_event_handler(Events.COMPLETED, self._write)

    def _collect(self, evaluator: SupervisedEvaluator) -> None:
        for batch, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            image = np.asarray(output["image"].cpu())[0]
            mask, truth = output["pred"].cpu(), output["label"].cpu()
            counts = PoreCounts.of(mask, truth)
            otsu = PoreCounts.of(torch.from_numpy(otsu_mask(image)), truth[0])
            self._pooled += counts
            self._pooled_otsu += otsu
            row = {"name": batch["name"], "source": batch["source"]}
            row |= {score: getattr(counts, score) for score in _SCORES}
            self._rows.append({**row, "otsu_dice": otsu.dice, "pixels": counts.pixels})
            picture = error_overlay(image, np.asarray(mask)[0] > 0, np.asarray(truth)[0] > 0)
            write_png(self._output_dir / "overlays" / f"{batch['name']}.png", picture)

    def _write(self, _: SupervisedEvaluator) -> None:
        table = pd.DataFrame(self._rows).sort_values("name", ignore_index=True)
        with atomic_path(self._output_dir / "summary.json") as partial:
            partial.write_text(json.dumps(self._summary(table), indent=2, allow_nan=False))
        with atomic_path(self._output_dir / "per_image.csv") as partial:
            table.to_csv(partial, index=False, float_format="%.6f")
        print(_printed(table, self._pooled, self._pooled_otsu))
        logger.info("scores and overlays: %s", self._output_dir)

    def _summary(self, table: pd.DataFrame) -> dict[str, Any]:
        scores = [*_SCORES, "otsu_dice"]
        return {
            **self._about,
            "images": len(table),
            "pixels": self._pooled.pixels,
            "mean": {score: _number(table[score].mean()) for score in scores},
            "std": {score: _number(table[score].std()) for score in scores},
            "pooled": {
                **{score: _number(getattr(self._pooled, score)) for score in _SCORES},
                "otsu_dice": self._pooled_otsu.dice,
            },
            "counts": {
                name: getattr(self._pooled, name)
                for name in ("true_positive", "false_positive", "true_negative", "false_negative")
            },
        }


def _number(value: float) -> float | None:
    """JSON has no NaN: an undefined score is null."""
    return float(value) if np.isfinite(value) else None


def _printed(table: pd.DataFrame, pooled: PoreCounts, pooled_otsu: PoreCounts) -> str:
    columns = [
        "name",
        "source",
        "dice",
        "iou",
        "precision",
        "recall",
        "porosity_true",
        "porosity_predicted",
        "otsu_dice",
    ]
    mean = {"name": "mean of images", "source": "", **table[columns[2:]].mean().to_dict()}
    total = {"name": "pooled pixels", "source": "", "otsu_dice": pooled_otsu.dice}
    total |= {score: getattr(pooled, score) for score in columns[2:-1]}
    rows = pd.concat([table[columns], pd.DataFrame([mean, total])], ignore_index=True)
    return rows.to_string(index=False, float_format=lambda value: f"{value:.3f}")
