"""An evaluation in MLflow: its scores and files, in the run of the training or in one of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError, first_line
from pipeline.phases import metric_of
from pipeline.tracking.addresses import kept_address
from pipeline.tracking.run_start import EVALUATION
from pipeline.tracking.stores import (
    EVALUATED,
    EVALUATION_FOLDER,
    STORE_ERRORS,
    VARIANT,
    check_store,
    find_run,
    is_away,
    is_key,
    open_client,
)
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.tracking.training_link import TrainingLink, read_training_link

logger = logging.getLogger("vlsenet")

#: in place of a store: nothing is sent
NOWHERE = "none"


class EvaluationLog:
    """Sends an evaluation's results to MLflow.

    They go to the run of the training if it is given, or if the checkpoint lies in the training's folder. A second
    evaluation of the same training, on other images, gets a run of its own, with the training's tags.

    Args:
        tracking_uri: MLflow store; None: that of the training, if known; ``none``: nothing is sent.
        experiment_name: for a new run of an unknown training; created if it does not exist.
        run_id: run of the training; None: the one linked to the checkpoint, or else a new run.
        tags: ``variant``, ``seed`` and ``fold`` identify a run in comparisons; None values are skipped.
        checkpoint: what is evaluated.
    """

    def __init__(
        self,
        tracking_uri: str | None,
        experiment_name: str,
        run_id: str | None,
        tags: Mapping[str, object],
        checkpoint: str | None = None,
    ) -> None:
        self._nowhere = tracking_uri == NOWHERE
        self._tracking_uri = None if self._nowhere else tracking_uri
        self._experiment_name = experiment_name
        self._run_id = run_id
        self._tags = {name: str(value) for name, value in tags.items() if value is not None}
        self._checkpoint = None if checkpoint is None else Path(checkpoint)
        self._link = None if self._checkpoint is None or run_id else read_training_link(self._checkpoint)
        self._config: dict[str, Any] = {}

    def check(self, config: Mapping[str, Any]) -> None:
        """Check the store and the run before the work.

        Args:
            config: of the evaluation; kept with its results, so that it can be repeated.

        Raises:
            UserError: they were given, and can't be right.
        """
        self._config = dict(config)
        if self._run_id is not None and self._tracking_uri is None:
            raise UserError(f"--mlflow_run_id {self._run_id}: --tracking_uri is missing; give the run's MLflow store")
        if self._nowhere:
            return
        if self._tracking_uri is not None:
            check_store(self._tracking_uri, self._run_id)
            link = self._link
            if link is not None and is_key(link.run_id) and kept_address(self._tracking_uri) != link.tracking_uri:
                self._link = None  # that store will never have it
        elif self._link is not None:
            # nobody asked for this store, so that what is wrong with it is no mistake
            if unfit := _why_unfit(self._link):
                logger.info("the scores are not kept in MLflow: %s", unfit)
                self._link = None
            else:
                self._tracking_uri = self._link.tracking_uri

    def send(self, folder: Path) -> None:
        """Send ``summary.json`` as metrics, and all files.

        Metrics are ``evaluation_mean_SCORE`` (over the images) and ``evaluation_pooled_SCORE``, of several phases their
        means, and ``PHASE/evaluation_mean_SCORE`` and so on for each.
        """
        if self._tracking_uri is None:
            return
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        evaluation = _evaluated(summary)
        run = TrackedRun(
            self._tracking_uri,
            self._experiment_name,
            None,
            str(folder),
            {},
            {} if self._checkpoint is None else {VARIANT: _name_of(self._checkpoint)},
            self._run_id,
            evaluation=evaluation,
            training=None if self._link is None else self._link.run_id,
        )
        run.start({f"{EVALUATION_FOLDER}/config.yaml": self._config}, after_work=True)
        metrics = _metrics(summary)
        for phase, scores in summary.get("phases", {}).items():
            metrics |= {metric_of(phase, name): value for name, value in _metrics(scores).items()}
        run.log_metrics(metrics)
        run.set_tags({**self._tags, EVALUATED: str(summary["split"]), EVALUATION: evaluation})
        files = ("report.html", "per_image.csv", "per_pore.csv", "summary.json")
        run.log_files((folder / name for name in files), EVALUATION_FOLDER)
        for name in ("overlays", "truth"):
            run.log_files([folder / name], f"{EVALUATION_FOLDER}/{name}")
        run.finish("FINISHED")
        stored = run.stored()
        if stored is not None:
            logger.info(
                "scores are in the MLflow run %s (variant %s) of %s; vlsenet compare finds them there",
                stored.name,
                stored.tags.get(VARIANT, stored.name),
                kept_address(self._tracking_uri),
            )


def _metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """The scores of a summary, or of one phase in it, as metrics."""
    return {
        f"evaluation_{kind}_{score}": value
        for kind in ("mean", "pooled")
        for score, value in summary[kind].items()
        if value is not None
    }


def _why_unfit(link: TrainingLink) -> str:
    """Why a training's run can't take an evaluation; empty where it can, now or once its store is back."""
    try:
        run = find_run(open_client(link.tracking_uri), link.run_id)
    except STORE_ERRORS as error:
        return "" if is_away(error) else f"{link.tracking_uri} refuses ({first_line(error)})"
    if run is not None and run.info.lifecycle_stage == "deleted":
        return "the training's run was deleted"
    return "the training's run is still running" if run is not None and run.info.status == "RUNNING" else ""


def _evaluated(summary: Mapping[str, Any]) -> str:
    """Which images and which weights: a repeated evaluation replaces the first."""
    return " ".join(str(summary.get(part, ""))[:16] for part in ("checkpoint_sha256", "data_fingerprint", "split"))


def _name_of(checkpoint: Path) -> str:
    """What a person calls a model: `first` for `runs/first/checkpoints/best.pt`."""
    path = checkpoint.absolute()
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    return {"best": folder.name, "last": f"{folder.name} last"}.get(path.stem, path.stem)
