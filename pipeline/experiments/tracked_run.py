"""What MLflow keeps of a training, as far as it takes to repeat it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import yaml
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.comparison.names import EVALUATION_FOLDER
from pipeline.errors import UserError, first_line
from pipeline.experiments.agreement import Histories
from pipeline.wording import some_of

#: metrics that no two runs have in common
_OF_THE_MACHINE = ("training_seconds", "evaluation_seconds", "peak_memory_bytes")


@dataclass(frozen=True)
class FinishedTraining:
    """A training and its evaluation, from MLflow.

    Attributes:
        run_id: MLflow's.
        name: the run's.
        experiment_name: MLflow experiment.
        config: of the training, as it was resolved.
        data: fingerprint of the data set; see :meth:`pipeline.data.DatasetIndex.fingerprint`.
        dataset_dir: where the data set was.
        environment: see :func:`pipeline.workflows.environment`; of older runs the versions only.
        evaluation: config of the evaluation; None where there is none of the same data.
        histories: the values of every metric by epoch.
    """

    run_id: str
    name: str
    experiment_name: str
    config: dict[str, Any]
    data: dict[str, Any]
    dataset_dir: str
    environment: dict[str, Any]
    evaluation: dict[str, Any] | None
    histories: Histories


def read_training(client: mlflow.MlflowClient, run_id: str) -> FinishedTraining:
    """Read a finished training.

    Raises:
        UserError: no such run, one that did not finish, or one that lacks what is needed.
    """
    run = _find(client, run_id)
    run_id = run.info.run_id
    name = run.info.run_name or run_id
    if run.info.status != "FINISHED":
        raise UserError(f"the run {name} is {run.info.status}: only a finished training can be repeated")
    config, data = _artifact(client, run_id, "config.yaml"), _artifact(client, run_id, "data.json")
    if config is None or data is None:
        raise UserError(f"the run {name} lacks config.yaml or data.json: give a run of vlsenet train")
    environment = _artifact(client, run_id, "environment.json") or {"versions": dict(run.data.tags)}
    summary = _artifact(client, run_id, f"{EVALUATION_FOLDER}/summary.json") or {}
    same_data = summary.get("data_fingerprint") == data["hash"]
    return FinishedTraining(
        run_id,
        name,
        client.get_experiment(run.info.experiment_id).name,
        config,
        data,
        run.data.params.get("dataset_dir", str(config["dataset_dir"])),
        environment,
        _artifact(client, run_id, f"{EVALUATION_FOLDER}/config.yaml") if same_data else None,
        read_histories(client, run_id),
    )


def _find(client: mlflow.MlflowClient, run_id: str) -> Run:
    """The run of an id, or the only finished one of a name.

    Raises:
        UserError: none, or several; naming those that are there.
    """
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        experiments = [one.experiment_id for one in client.search_experiments()]
        runs = [run for run in client.search_runs(experiments) if run.info.status == "FINISHED"]
        named = [run for run in runs if run.info.run_name == run_id]
        if len(named) == 1:
            return named[0]
        there = some_of([f"{run.info.run_id} ({run.info.run_name})" for run in named or runs]) or "none"
        what = f"{len(named)} runs have this name" if named else "no such run in the store"
        raise UserError(f"{run_id}: {what}; give the id of one of its finished runs: {there}") from error


def read_histories(client: mlflow.MlflowClient, run_id: str) -> dict[str, dict[int, float]]:
    """The values of every metric by epoch, without times and memory."""
    names = [name for name in client.get_run(run_id).data.metrics if name not in _OF_THE_MACHINE]
    return {name: {one.step: one.value for one in client.get_metric_history(run_id, name)} for name in names}


def _artifact(client: mlflow.MlflowClient, run_id: str, path: str) -> dict[str, Any] | None:
    """The content of a YAML or JSON file; None where there is none."""
    folder = str(Path(path).parent) if "/" in path else None
    try:
        if path not in {item.path for item in client.list_artifacts(run_id, folder)}:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            text = Path(client.download_artifacts(run_id, path, scratch)).read_text(encoding="utf-8")
        content = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (MlflowException, OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} of the run {run_id} can't be read ({first_line(error)})") from error
    return dict(content)
