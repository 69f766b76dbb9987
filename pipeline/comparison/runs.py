"""Evaluated runs, as MLflow keeps them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.comparison.names import EVALUATION_FOLDER, FOLD, PARENT, SEED, VARIANT
from pipeline.errors import UserError

logger = logging.getLogger("vlsenet")

_IMAGES, _PORES, _SUMMARY = "per_image.csv", "per_pore.csv", "summary.json"


@dataclass(frozen=True, eq=False)
class EvaluatedRun:
    """One training with the evaluation of its model.

    Attributes:
        run_id: MLflow's.
        name: for messages.
        variant: what is compared; the tag ``variant``, or the run's name.
        seed: the tag or parameter ``seed``; empty where there is none.
        fold: the tag ``fold``; empty where there are no folds.
        parent: id of the parent run; empty where there is none.
        images: ``per_image.csv``.
        pores: ``per_pore.csv``; empty where the run has none.
        summary: ``summary.json``.
        metrics: last value of every metric, by name.
        parameters: by name.
    """

    run_id: str
    name: str
    variant: str
    seed: str
    fold: str
    parent: str
    images: pd.DataFrame
    pores: pd.DataFrame
    summary: dict[str, Any]
    metrics: dict[str, float] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundRuns:
    """What a store holds.

    Attributes:
        runs: those with an evaluation.
        left_out: a line for each of the others.
    """

    runs: list[EvaluatedRun]
    left_out: list[str]


def open_store(tracking_uri: str) -> mlflow.MlflowClient:
    """Reach for an MLflow store.

    Raises:
        UserError: an SQLite file that is not there (MLflow would make it), or a server that does not answer.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar for each of many small files
    path = tracking_uri.removeprefix("sqlite:///")
    if path != tracking_uri and not Path(path).is_file():
        raise UserError(f"--tracking_uri {tracking_uri}: there is no file {path}; give the mlflow.db of the runs")
    try:
        client = mlflow.MlflowClient(tracking_uri)
        client.search_experiments(max_results=1)
    except (MlflowException, OSError) as error:
        raise UserError(f"--tracking_uri {tracking_uri}: MLflow does not answer ({_reason(error)})") from error
    return client


def read_runs(
    client: mlflow.MlflowClient, experiment_name: str | None, run_ids: Sequence[str], folder: Path
) -> FoundRuns:
    """Read the runs of an experiment, or those that are named.

    Args:
        client: store.
        experiment_name: all runs of this experiment; with ``run_ids``, only those.
        run_ids: ids of runs; that of a parent stands for its children.
        folder: where the files of evaluations are put.

    Raises:
        UserError: no such experiment or run, none that was evaluated, or an evaluation that can't be read.
    """
    chosen = _chosen(client, experiment_name, run_ids)
    runs, left_out = [], []
    parents = {run.data.tags.get(PARENT) for run in chosen}
    for run in chosen:
        if run.info.run_id in parents:
            continue
        found = _evaluated(client, run, folder / run.info.run_id)
        if found is not None:
            runs.append(found)
        else:
            error = run.data.tags.get("error", "")
            ended = "" if run.info.status == "FINISHED" else f" ({run.info.status}{': ' + error if error else ''})"
            left_out.append(_name(run) + ended)
    if not runs:
        raise UserError(
            f"none of the {len(chosen)} runs has an evaluation ({EVALUATION_FOLDER}/{_IMAGES} among its artifacts); "
            "evaluate.yaml logs one with --tracking_uri and --mlflow_run_id"
        )
    return FoundRuns(sorted(runs, key=lambda run: (run.variant, run.fold, run.seed)), left_out)


def _chosen(client: mlflow.MlflowClient, experiment_name: str | None, run_ids: Sequence[str]) -> list[Run]:
    if run_ids:
        named = []
        for run_id in run_ids:
            try:
                named.append(client.get_run(run_id))
            except MlflowException as error:
                raise UserError(f"--runs {run_id}: the store has no such run; give ids as MLflow shows them") from error
        children = [child for run in named for child in _search(client, [run.info.experiment_id], run.info.run_id)]
        return list({run.info.run_id: run for run in [*named, *children]}.values())
    experiments = {experiment.name: experiment.experiment_id for experiment in client.search_experiments()}
    if experiment_name not in experiments:
        there = ", ".join(sorted(experiments)) or "none"
        raise UserError(f"--experiment {experiment_name}: the store has no such experiment; there are {there}")
    return _search(client, [experiments[experiment_name]])


def _search(client: mlflow.MlflowClient, experiments: list[str], parent: str | None = None) -> list[Run]:
    query = f"tags.`{PARENT}` = '{parent}'" if parent else ""
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(experiments, query, max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _evaluated(client: mlflow.MlflowClient, run: Run, folder: Path) -> EvaluatedRun | None:
    run_id, tags = run.info.run_id, run.data.tags
    try:
        there = {Path(item.path).name for item in client.list_artifacts(run_id, EVALUATION_FOLDER)}
        if not {_IMAGES, _SUMMARY} <= there:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            name: Path(client.download_artifacts(run_id, f"{EVALUATION_FOLDER}/{name}", str(folder)))
            for name in (_IMAGES, _PORES, _SUMMARY)
            if name in there
        }
        names = {"name": str, "source": str}
        images = pd.read_csv(files[_IMAGES], dtype=names, keep_default_na=False, na_values=[""])
        pores = pd.read_csv(files[_PORES], dtype=names, keep_default_na=False) if _PORES in files else pd.DataFrame()
        summary = json.loads(files[_SUMMARY].read_text(encoding="utf-8"))
        if images.empty or not {"name", "source", "dice", "porosity_true"} <= set(images.columns):
            raise ValueError(f"{_IMAGES} has no rows, or lacks columns")
    except (MlflowException, OSError, ValueError) as error:
        raise UserError(
            f"the evaluation of the run {_name(run)} ({run_id}) can't be read ({_reason(error)}); "
            "evaluate it again, or leave it out by naming the others with --runs"
        ) from error
    return EvaluatedRun(
        run_id,
        _name(run),
        tags.get(VARIANT) or _name(run),
        tags.get(SEED) or run.data.params.get(SEED, ""),
        tags.get(FOLD, ""),
        tags.get(PARENT, ""),
        images,
        pores,
        summary,
        dict(run.data.metrics),
        dict(run.data.params),
    )


def _name(run: Run) -> str:
    return run.info.run_name or run.info.run_id


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
