"""The prompt audit: what a model's scores are worth without its own prompts."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ignite.engine import Events
from matplotlib.figure import Figure
from monai.engines import SupervisedEvaluator

from pipeline.errors import INTERRUPTED
from pipeline.files import atomic_path, write_text
from pipeline.metrics import PoreCounts
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.visual import Dots, dot_figure
from pipeline.workflows.audit_conditions import Condition

logger = logging.getLogger("vlsenet")

#: Scores over all pixels together; the porosity error is a mean over the images.
_POOLED = ("dice", "iou", "precision", "recall")
_SCORES = (*_POOLED, "porosity_error", "changed_probability", "flipped_pixels")
_PICTURED = {
    "dice": "Dice (pooled; pale dots: single images)",
    "porosity_error": "porosity error (mean; pale dots: single images)",
}


@dataclass
class _Tally:
    """The counts of one condition."""

    counts: PoreCounts = field(default_factory=PoreCounts)
    porosity_errors: list[float] = field(default_factory=list)
    changed: float = 0.0
    flipped: int = 0

    def scores(self) -> dict[str, float]:
        return {
            **{score: getattr(self.counts, score) for score in _POOLED},
            "porosity_error": float(np.mean(self.porosity_errors)),
            "changed_probability": self.changed / self.counts.pixels,
            "flipped_pixels": self.flipped / self.counts.pixels,
        }


class TextAudit:
    """Runs the audit, compares each image under each condition with its own prompt, and writes what was found.

    Writes ``audit.csv`` (a row for each condition), ``audit.json`` (the same, with the images one by one) and
    ``audit.png`` to ``output_dir``, and logs them to MLflow. ``changed_probability`` is the mean absolute change of a
    pixel's probability against the own prompt, ``flipped_pixels`` the share of pixels whose mask changes.

    Args:
        output_dir: folder of the results.
        evaluator: gives probability (``pred``) and label (1, H, W) of items of ``audit_items``.
        conditions: ``own`` first.
        threshold: pixels at or above this probability are pore, in every condition.
        run: MLflow run.
        about: copied into ``audit.json``.
    """

    def __init__(
        self,
        output_dir: str,
        evaluator: SupervisedEvaluator,
        conditions: Sequence[Condition],
        threshold: float,
        run: TrackedRun,
        about: Mapping[str, Any],
    ) -> None:
        self._output_dir = Path(output_dir)
        self._evaluator = evaluator
        self._conditions = conditions
        self._threshold = threshold
        self._run = run
        self._about = dict(about)
        self._tallies = {condition.name: _Tally() for condition in conditions if condition.features is not None}
        self._images: list[dict[str, Any]] = []
        self._own: tuple[str, torch.Tensor] = ("", torch.empty(0))

    def prepare(self, files: Mapping[str, Any]) -> None:
        """Open the MLflow run: a store that does not answer is reported before the work.

        Args:
            files: descriptions of the audit for MLflow, file name to content.
        """
        self._run.start(files)
        self._evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._collect)

    def run(self) -> None:
        """Audit, write, print, log."""
        try:
            self._evaluator.run()
            self._finish()
        except KeyboardInterrupt:
            self._run.finish("KILLED")
            logger.warning("interrupted: an audit can't be resumed; run it again from the start")
            raise SystemExit(INTERRUPTED) from None
        except BaseException as error:
            self._run.finish("FAILED", error=repr(error))
            raise
        self._run.finish("FINISHED")
        logger.info("table and picture: %s", self._output_dir)

    def _collect(self, evaluator: SupervisedEvaluator) -> None:
        for item, output in zip(evaluator.state.batch, evaluator.state.output, strict=True):
            probability, truth = output["pred"].float().cpu(), output["label"].cpu()
            if item["condition"] == self._conditions[0].name:
                self._own = item["name"], probability
            name, own = self._own
            if name != item["name"]:
                raise ValueError(f"{item['name']}: its own prompt must come before the others")
            mask = probability >= self._threshold
            counts = PoreCounts.of(mask, truth)
            changed = float((probability - own).abs().sum(dtype=torch.float64))
            flipped = int((mask != (own >= self._threshold)).sum())
            tally = self._tallies[item["condition"]]
            tally.counts += counts
            tally.porosity_errors.append(counts.porosity_error)
            tally.changed += changed
            tally.flipped += flipped
            scores = {score: getattr(counts, score) for score in (*_POOLED, "porosity_error")}
            scores |= {"changed_probability": changed / counts.pixels, "flipped_pixels": flipped / counts.pixels}
            self._images.append({"name": item["name"], "condition": item["condition"], **scores})

    def _finish(self) -> None:
        scores = {name: tally.scores() for name, tally in self._tallies.items()}
        rows = [{"condition": c.name, **scores.get(c.name, {}), "note": c.note} for c in self._conditions]
        table = pd.DataFrame(rows, columns=["condition", *_SCORES, "note"])
        content = {**self._about, "conditions": [_without_nan(row) for row in rows]}
        content["images"] = [_without_nan(row) for row in self._images]
        files = {suffix: self._output_dir / f"audit.{suffix}" for suffix in ("json", "png", "csv")}
        write_text(files["json"], json.dumps(content, indent=2, allow_nan=False))
        with atomic_path(files["png"]) as partial:
            self._figure(scores).savefig(partial)
        with atomic_path(files["csv"]) as partial:  # last: it marks a finished audit
            table.to_csv(partial, index=False, float_format="%.6f")
        print(_printed(table))
        self._run.log_metrics(
            {f"{name}/{score}": value for name, of in scores.items() for score, value in of.items() if value == value}
        )
        self._run.log_files(files.values(), "audit")

    def _figure(self, scores: Mapping[str, Mapping[str, float]]) -> Figure:
        names = [condition.name for condition in self._conditions]
        panels = {
            title: [
                Dots(
                    scores[name][score] if name in scores else None,
                    [row[score] for row in self._images if row["condition"] == name],
                )
                for name in names
            ]
            for score, title in _PICTURED.items()
        }
        images = len({row["name"] for row in self._images})
        return dot_figure(names, panels, f"Prompt audit: {self._about['split']}, {images} images")


def _without_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: an undefined score is null."""
    return {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in row.items()}


def _printed(table: pd.DataFrame) -> str:
    shown = table.drop(columns="note").to_string(index=False, float_format=lambda value: f"{value:.4f}", na_rep="-")
    notes = [f"{row.condition}: {row.note}" for row in table.itertuples() if row.note]
    return "\n".join([shown, *notes])
