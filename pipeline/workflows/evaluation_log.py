"""An evaluation in MLflow: its scores and files, in the run of the training or in one of its own."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import yaml
from mlflow.entities import Metric, RunTag
from mlflow.exceptions import MlflowException

from pipeline.errors import UserError
from pipeline.workflows.tracking import open_experiment

logger = logging.getLogger("vlsenet")

#: folder of the run's artifacts; the comparison of runs looks there
EVALUATION_FOLDER = "evaluation"


class EvaluationLog:
    """Sends an evaluation's results to MLflow.

    Args:
        tracking_uri: MLflow store; None: nothing is sent.
        experiment_name: of a new run; made if it is not there.
        run_id: run of the training; None: a new run.
        tags: ``variant``, ``seed`` and ``fold`` tell the comparison what a run is; those that are None are left out.
    """

    def __init__(
        self, tracking_uri: str | None, experiment_name: str, run_id: str | None, tags: Mapping[str, object]
    ) -> None:
        self._tracking_uri = tracking_uri
        self._experiment_name = experiment_name
        self._run_id = run_id
        self._tags = {name: str(value) for name, value in tags.items() if value is not None}
        self._config: dict[str, Any] = {}

    def check(self, config: Mapping[str, Any]) -> None:
        """Reach for the store and the run before the work.

        Args:
            config: of the evaluation; kept with its results, so that it can be repeated.

        Raises:
            UserError: they can't be reached.
        """
        self._config = dict(config)
        if self._tracking_uri is None:
            if self._run_id is not None:
                raise UserError(f"--mlflow_run_id {self._run_id}: in which MLflow store? give --tracking_uri too")
            return
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        try:
            client = mlflow.MlflowClient(self._tracking_uri)
            if self._run_id is not None:
                client.get_run(self._run_id)
            else:
                open_experiment(client, self._tracking_uri, self._experiment_name)
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0][:200]
            raise UserError(f"--tracking_uri {self._tracking_uri}: MLflow does not answer ({reason})") from error

    def send(self, folder: Path) -> None:
        """Send ``summary.json`` as metrics, and all files; a store that fails costs a warning, as they are on disk.

        Metrics are ``evaluation_mean_SCORE`` (over the images) and ``evaluation_pooled_SCORE``.
        """
        if self._tracking_uri is None:
            return
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        now = int(time.time() * 1000)
        metrics = [
            Metric(f"evaluation_{kind}_{score}", value, now, 0)
            for kind in ("mean", "pooled")
            for score, value in summary[kind].items()
            if value is not None
        ]
        tags = [RunTag(name, value) for name, value in {**self._tags, "evaluated_split": str(summary["split"])}.items()]
        try:
            client = mlflow.MlflowClient(self._tracking_uri)
            run_id = self._run_id
            if run_id is None:
                experiment = open_experiment(client, self._tracking_uri, self._experiment_name)
                run_id = str(client.create_run(experiment, run_name=folder.absolute().name).info.run_id)
            client.log_text(run_id, yaml.safe_dump(self._config, sort_keys=False), f"{EVALUATION_FOLDER}/config.yaml")
            client.log_batch(run_id, metrics=metrics, tags=tags)
            for name in ("per_image.csv", "per_pore.csv", "summary.json"):
                client.log_artifact(run_id, str(folder / name), EVALUATION_FOLDER)
            for name in ("overlays", "truth"):
                client.log_artifacts(run_id, str(folder / name), f"{EVALUATION_FOLDER}/{name}")
            if self._run_id is None:
                client.set_terminated(run_id, "FINISHED")
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0][:200]
            logger.warning("MLflow at %s did not take the evaluation in %s: %s", self._tracking_uri, folder, reason)
