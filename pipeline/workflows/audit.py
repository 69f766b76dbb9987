"""The prompt audit: what a model's scores are worth without its own prompts."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ignite.engine import Events
from matplotlib.figure import Figure
from monai.engines import SupervisedEvaluator

from pipeline.csv_tables import write_csv
from pipeline.errors import INTERRUPTED
from pipeline.files import atomic_path, write_text
from pipeline.metrics.threshold import CLEAR_GAIN
from pipeline.phases import PORE, metric_of
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.visual import Dots, dot_figure
from pipeline.wording import some_of
from pipeline.workflows.audit_phases import EXCHANGED
from pipeline.workflows.audit_scores import AuditScores
from pipeline.workflows.audited_text import Condition

logger = logging.getLogger("vlsenet")

#: in the table, of several phases: the row of their means
_MEAN = "mean of phases"


class TextAudit:
    """Runs the audit, compares each image under each condition with its own prompt, and writes what was found.

    Writes ``audit.csv`` (a row for each condition), ``audit.json`` (the same, with the images one by one) and
    ``audit.png`` to ``output_dir``, and logs them to MLflow. ``changed_probability`` is the mean absolute change of a
    pixel's probability against the own prompt, ``flipped_pixels`` the share of pixels whose mask changes.

    Of several phases, each is scored by itself: a pixel is of it where its probability reaches its threshold, whatever
    the others' are. The table has a row for each phase and condition and one for their mean, and ``area_error``
    instead of ``porosity_error``; the log says how much the Dice falls when phases are exchanged.

    Args:
        output_dir: folder of the results.
        evaluator: gives probability (``pred``) and label, (K, H, W) both, of items of ``audit_items``.
        conditions: ``own`` first.
        thresholds: of each phase; pixels at or above it are of the phase, in every condition.
        run: MLflow run.
        about: copied into ``audit.json``.
        phases: names, in the order of the probabilities' channels.
    """

    def __init__(
        self,
        output_dir: str,
        evaluator: SupervisedEvaluator,
        conditions: Sequence[Condition],
        thresholds: Sequence[float],
        run: TrackedRun,
        about: Mapping[str, Any],
        phases: Sequence[str] = (PORE,),
    ) -> None:
        self._output_dir = Path(output_dir)
        self._evaluator = evaluator
        self._conditions = conditions
        self._run = run
        self._about = dict(about)
        asked = [condition.name for condition in conditions if condition.features is not None]
        self._scores = AuditScores(asked, phases, thresholds)

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
            self._scores.add(item["name"], item["condition"], probability, truth)

    def _finish(self) -> None:
        table = self._table()
        content = {**self._about, "conditions": [self._in_json(condition) for condition in self._conditions]}
        content["images"] = [_without_nan(row) for row in self._scores.images]
        files = {suffix: self._output_dir / f"audit.{suffix}" for suffix in ("json", "png", "csv")}
        write_text(files["json"], json.dumps(content, indent=2, allow_nan=False))
        with atomic_path(files["png"]) as partial:
            self._figure().savefig(partial)
        write_csv(files["csv"], table, "%.6f")  # last: it marks a finished audit
        print(_printed(table))
        self._run.log_metrics(self._metrics())
        self._run.log_files(files.values(), "audit")
        if self._scores.several:
            self._conclude()

    def _table(self) -> pd.DataFrame:
        """A row for each condition, and where there are several phases for each phase too."""
        rows: list[dict[str, Any]] = []
        for condition in self._conditions:
            rows.append({"condition": condition.name, "phase": _MEAN, **self._scores.of(condition.name)})
            rows[-1]["note"] = condition.note
            if self._scores.several:
                phases = self._scores.of_phases(condition.name).items()
                rows += [{"condition": condition.name, "phase": phase, **scores} for phase, scores in phases]
        several = ["phase"] if self._scores.several else []
        return pd.DataFrame(rows, columns=["condition", *several, *self._scores.names, "note"])

    def _in_json(self, condition: Condition) -> dict[str, Any]:
        row = {"condition": condition.name, **self._scores.of(condition.name), "note": condition.note}
        if not self._scores.several:
            return _without_nan(row)
        phases = self._scores.of_phases(condition.name).items()
        return {**_without_nan(row), "phases": {phase: _without_nan(scores) for phase, scores in phases}}

    def _metrics(self) -> dict[str, float]:
        """For MLflow: `own/dice`, of several phases also `silt grain/own/dice`; undefined ones are left out."""
        found: dict[str, float] = {}
        for condition in self._conditions:
            scored = [(condition.name, self._scores.of(condition.name))]
            if self._scores.several:
                phases = self._scores.of_phases(condition.name).items()
                scored += [(metric_of(phase, condition.name), scores) for phase, scores in phases]
            found |= {f"{name}/{score}": value for name, of in scored for score, value in of.items() if value == value}
        return found

    def _figure(self) -> Figure:
        """A line for each condition; the pale dots are images, where there are several phases these."""
        names = [condition.name for condition in self._conditions]
        error, dots = self._scores.area_error, "phases" if self._scores.several else "single images"
        titles = {
            "dice": f"Dice (pooled; pale dots: {dots})",
            error: f"{error.replace('_', ' ')} (mean; pale dots: {dots})",
        }
        panels = {
            title: [Dots(self._scores.of(name).get(score), self._single(name, score)) for name in names]
            for score, title in titles.items()
        }
        images = len({row["name"] for row in self._scores.images})
        return dot_figure(names, panels, f"Prompt audit: {self._about['split']}, {images} images")

    def _single(self, condition: str, score: str) -> list[float]:
        if self._scores.several:
            return [scores[score] for scores in self._scores.of_phases(condition).values()]
        return [row[score] for row in self._scores.images if row["condition"] == condition]

    def _conclude(self) -> None:
        """Say how much the Dice falls where phases are exchanged."""
        own, exchanged = (self._scores.of_phases(name) for name in (self._conditions[0].name, EXCHANGED))
        if not own:
            return
        before, after = (self._scores.of(name)["dice"] for name in (self._conditions[0].name, EXCHANGED))
        each = [f"{phase} {own[phase]['dice']:.3f} to {exchanged[phase]['dice']:.3f}" for phase in own]
        how = f"from {before:.3f} to {after:.3f} (mean of phases; {some_of(each, len(each))})"
        if after <= before - CLEAR_GAIN:
            logger.info("asked with another phase's phrase, Dice falls by %.3f, %s", before - after, how)
        else:
            logger.warning("asked with another phase's phrase, Dice goes %s: the text is not read", how)


def _without_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: an undefined score is null."""
    return {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in row.items()}


def _printed(table: pd.DataFrame) -> str:
    shown = table.drop(columns="note").to_string(index=False, float_format=lambda value: f"{value:.4f}", na_rep="-")
    notes = [f"{row.condition}: {row.note}" for row in table.fillna({"note": ""}).itertuples() if row.note]
    return "\n".join([shown, *notes])
