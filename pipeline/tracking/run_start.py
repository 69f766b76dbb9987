"""The start of a run in a store: a new run, an earlier one that goes on, or that of the training that was evaluated."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from pipeline.tracking.addresses import kept_address
from pipeline.tracking.stores import (
    FOLD,
    KEY,
    PARENT,
    SEED,
    TRAINING,
    VARIANT,
    find_run,
    is_key,
    new_key,
    open_experiment,
)

logger = logging.getLogger("vlsenet")

#: tag that says which weights and images were evaluated: a training's run holds one evaluation
EVALUATION = "evaluated"
#: parameters in one request
_MOST_PARAMETERS = 100


def start_run(client: mlflow.MlflowClient, tracking_uri: str, wanted: Mapping[str, Any]) -> str:
    """Open a run; the same request again gives the same run.

    Args:
        client: of the store.
        tracking_uri: the store's address.
        wanted: ``run_id`` (of a run that is there, or the key of a new one), ``experiment``, ``name``, ``tags`` and
            ``parameters``; ``datasets`` (as `provenance.dataset_inputs` gives them); ``given`` (whether ``run_id`` is
            that of a run made elsewhere); ``parent`` (id or key of the parent run); ``evaluation`` (of which weights
            and images; then the run's status stays as it is) and ``training`` (id or key of the training's run).

    Returns:
        The run's id.

    Raises:
        MlflowException, OSError, SQLAlchemyError: of `STORE_ERRORS`.
    """
    training = _training(client, wanted)
    # what is known by another one's key must begin there
    run = (run_in_store if wanted.get("given") else find_run)(client, wanted["run_id"])
    if run is None and training is not None:
        run = _evaluated_before(client, training, wanted["evaluation"])
    if run is None:
        run = _new_run(client, tracking_uri, wanted, training)
    elif wanted.get("evaluation") is None:
        if "error" in run.data.tags:  # of an earlier try
            client.delete_tag(run.info.run_id, "error")
        client.update_run(run.info.run_id, status="RUNNING")
    # parameters of a run can't be logged twice
    parameters = [Param(name, value) for name, value in wanted["parameters"].items() if name not in run.data.params]
    for first in range(0, len(parameters), _MOST_PARAMETERS):
        client.log_batch(run.info.run_id, params=parameters[first : first + _MOST_PARAMETERS])
    if inputs := [_input(one) for one in wanted.get("datasets", ())]:
        client.log_inputs(run.info.run_id, inputs)  # the same again is one
    return str(run.info.run_id)


def run_in_store(client: mlflow.MlflowClient, run_id: str) -> Run | None:
    """A run; None where the store has lost it.

    Raises:
        MlflowException: it is named by a key, and what begins it was not sent yet.
    """
    run = find_run(client, run_id)
    if run is None and is_key(run_id):
        raise MlflowException(f"the run {run_id} is not in the store yet", TEMPORARILY_UNAVAILABLE)
    return run


def _training(client: mlflow.MlflowClient, wanted: Mapping[str, Any]) -> Run | None:
    run = run_in_store(client, wanted["training"]) if wanted.get("training") else None
    return None if run is None or run.info.lifecycle_stage == "deleted" else run


def _evaluated_before(client: mlflow.MlflowClient, training: Run, evaluation: str) -> Run | None:
    """The run that has this evaluation of a training, or takes it."""
    if training.data.tags.get(EVALUATION, evaluation) == evaluation:
        return training
    own = f"tags.{TRAINING} = '{training.info.run_id}' and tags.{EVALUATION} = '{evaluation}'"
    found = client.search_runs([training.info.experiment_id], own, max_results=1)
    return found[0] if found else None


def _new_run(client: mlflow.MlflowClient, tracking_uri: str, wanted: Mapping[str, Any], training: Run | None) -> Run:
    run_id, tags, name = wanted["run_id"], dict(wanted["tags"]), wanted["name"]
    if not is_key(run_id):
        logger.warning("the MLflow run %s is not in %s; starting a new run", run_id, kept_address(tracking_uri))
    tags[KEY] = run_id if is_key(run_id) else new_key()
    if wanted.get("parent") and (parent := run_in_store(client, wanted["parent"])) is not None:
        tags[PARENT] = parent.info.run_id
    if training is None:
        experiment = open_experiment(client, tracking_uri, wanted["experiment"])
    else:
        experiment, title = training.info.experiment_id, training.info.run_name
        held = {**training.data.tags, **training.data.params}
        tags |= {VARIANT: title, **{tag: held[tag] for tag in (VARIANT, SEED, FOLD) if tag in held}}
        tags[TRAINING], name = training.info.run_id, f"{title} on {name}"
    return client.create_run(experiment, run_name=name, tags=tags)


def _input(dataset: Mapping[str, str]) -> DatasetInput:
    """A data set as MLflow keeps it, with what it was used for."""
    described = {name: value for name, value in dataset.items() if name != "context"}
    return DatasetInput(Dataset(**described), [InputTag("mlflow.data.context", dataset["context"])])
