"""An experiment in MLflow: one parent run, and a child for each training."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from pipeline.errors import UserError, first_line
from pipeline.experiments.record import Record, locked
from pipeline.files import atomic_path
from pipeline.tracking.stores import STORE_ERRORS, default_tracking_uri, open_store, store_error

logger = logging.getLogger("vlsenet")

FILE = "experiment.json"
_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class MlflowExperiment:
    """Where the runs of an experiment are kept.

    Attributes:
        tracking_uri: MLflow store.
        experiment_name: MLflow experiment.
        parent_run_id: the parent run.
    """

    tracking_uri: str
    experiment_name: str
    parent_run_id: str

    @property
    def client(self) -> mlflow.MlflowClient:
        return open_store(self.tracking_uri)

    def finish(self, status: str) -> None:
        """Say how the experiment ended: ``FINISHED``, ``FAILED`` (a run failed) or ``KILLED`` (interrupted)."""
        self._try(lambda client: client.set_terminated(self.parent_run_id, status))

    def start_child(self, record: Record, tags: Mapping[str, str]) -> str:
        """The id of a training's run, which is made where there is none yet.

        Raises:
            MlflowException: the store does not answer.
        """
        if record.mlflow_run_id is not None and (found := _find(self.client, record.mlflow_run_id)) is not None:
            if "error" in found.data.tags:  # of an earlier try
                self.client.delete_tag(record.mlflow_run_id, "error")
            self.client.update_run(record.mlflow_run_id, status="RUNNING")
            return record.mlflow_run_id
        settings = {"variant": record.variant, "seed": str(record.seed)}
        settings |= {"fold": record.fold} if record.fold else {}
        parent = self.client.get_run(self.parent_run_id)
        told = {**tags, **settings, _PARENT: self.parent_run_id, "data_fingerprint": record.data_fingerprint}
        made = self.client.create_run(parent.info.experiment_id, run_name=record.name, tags=told).info.run_id
        # as parameters too: MLflow's page that compares runs draws its axes from parameters and metrics
        self.client.log_batch(made, params=[Param(name, value) for name, value in settings.items()])
        return str(made)

    def log_costs(self, record: Record) -> None:
        """What the training took, as metrics beside its scores."""
        metrics = [Metric(name, value, 0, 0) for name, value in record.costs().items()]
        self._try(lambda client: client.log_batch(record.mlflow_run_id, metrics=metrics))

    def end_child(self, record: Record) -> None:
        """Say of a run how it ended, and of a failed one why, which is made where it failed too early to be there."""
        status = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}.get(record.state)
        if status is not None and (record.mlflow_run_id is not None or status == "FAILED"):
            self._try(lambda client: self._end(client, record, status))

    def _end(self, client: mlflow.MlflowClient, record: Record, status: str) -> None:
        if record.mlflow_run_id is None:
            record.mlflow_run_id = self.start_child(record, {})
        if record.error:
            client.log_batch(record.mlflow_run_id, tags=[RunTag("error", record.error[:500])])
        client.set_terminated(record.mlflow_run_id, status)

    def _try(self, call: Any) -> None:
        """What can't be told costs no training."""
        try:
            call(self.client)
        except STORE_ERRORS as error:
            logger.warning("MLflow at %s: %s", self.tracking_uri, first_line(error))


def open_mlflow(
    output_dir: Path, tracking_uri: str | None, experiment_name: str | None, baseline: str, files: Sequence[Path]
) -> MlflowExperiment:
    """The parent run of an experiment: that of an earlier call, or a new one; ``experiment.json`` keeps it.

    Args:
        output_dir: folder of the experiment; its name is the parent run's.
        tracking_uri: MLflow store; None for that of the earlier call, or ``mlflow.db`` in the folder.
        experiment_name: None for that of the earlier call, or the folder's name.
        baseline: for the parent's tags.
        files: logged to the parent.

    Raises:
        UserError: a store that does not answer, or another one than before.
    """
    from pipeline.tracking.tracked_run import open_experiment

    with locked(output_dir / ".mlflow.lock", wait=True):
        before = read_mlflow(output_dir)
        for name, given in {"tracking_uri": tracking_uri, "experiment_name": experiment_name}.items():
            if before is not None and given is not None and given != getattr(before, name):
                raise UserError(
                    f"--{name} {given}: {output_dir} was started with {getattr(before, name)}; remove the option, or "
                    "choose another --output_dir"
                )
        uri = before.tracking_uri if before else tracking_uri or default_tracking_uri(str(output_dir))
        name = before.experiment_name if before else experiment_name or output_dir.absolute().name
        try:
            client = open_store(uri)
            experiment_id = open_experiment(client, uri, name)
            if before is not None and _find(client, before.parent_run_id) is not None:
                parent = before.parent_run_id
                client.update_run(parent, status="RUNNING")
            else:
                tags = {"kind": "experiment", "baseline": baseline}
                parent = str(
                    client.create_run(experiment_id, run_name=output_dir.absolute().name, tags=tags).info.run_id
                )
            for file in files:
                client.log_artifact(parent, str(file))
        except STORE_ERRORS as error:
            raise store_error(uri, error) from error
        with atomic_path(output_dir / FILE) as partial:
            content = {"tracking_uri": uri, "experiment_name": name, "parent_run_id": parent}
            partial.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return MlflowExperiment(uri, name, parent)


def read_mlflow(output_dir: Path) -> MlflowExperiment | None:
    """Where an experiment's runs are kept; None where none was begun.

    Raises:
        UserError: a damaged file.
    """
    path = output_dir / FILE
    if not path.exists():
        return None
    try:
        return MlflowExperiment(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} can't be read ({error}); choose another --output_dir") from error


def _find(client: mlflow.MlflowClient, run_id: str) -> Run | None:
    """A run; None where the store has lost it."""
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
