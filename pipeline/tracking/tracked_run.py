"""One MLflow run per training: parameters, curves, pictures, the data's fingerprint, and how it ended."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import yaml
from ignite.engine import Events
from mlflow.entities import Param
from mlflow.exceptions import MlflowException
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from pipeline.configs import flattened
from pipeline.tracking.outbox import Outbox, unsent_messages
from pipeline.tracking.stores import STORE_ERRORS, default_tracking_uri, open_store, sqlite_file, store_error

logger = logging.getLogger("vlsenet")

#: MLflow's limit for the value of a parameter
_LONGEST_PARAMETER = 6000


def open_experiment(client: mlflow.MlflowClient, tracking_uri: str, name: str) -> str:
    """The id of an MLflow experiment, which is created if it does not exist.

    With a SQLite store, which may serve many trainings, its files lie beside the store; a server keeps its own.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    file = sqlite_file(tracking_uri)
    location = None if file is None else (file.absolute().parent / "mlflow_artifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=location))


class TrackedRun:
    """An MLflow run that records how it ended, also after an interrupt.

    A store that becomes unreachable does not stop the training: what it did not accept is kept and sent later
    (`Outbox`).

    MONAI's MLFlowHandler appends a new training to one that crashed, leaves a crashed run RUNNING for ever, and lets
    an environment variable win over the store that the user named.

    Args:
        tracking_uri: MLflow store; None for SQLite in ``output_dir``.
        experiment_name: MLflow experiment, created if it does not exist.
        run_name: name of the run; None for the name of ``output_dir``.
        output_dir: folder of results; holds the store's files where that is SQLite.
        parameters: logged once; nested ones are flattened with dots.
        tags: logged with a new run.
        run_id: run that was made for this training; None for a new one, or that of the checkpoint that is resumed.
    """

    def __init__(
        self,
        tracking_uri: str | None,
        experiment_name: str,
        run_name: str | None,
        output_dir: str,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
        run_id: str | None = None,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.tracking_uri = tracking_uri or default_tracking_uri(output_dir)
        self.experiment_name = experiment_name
        self._name = run_name or self.output_dir.absolute().name
        self._parameters = {name: str(value)[:_LONGEST_PARAMETER] for name, value in flattened(parameters).items()}
        self._tags = dict(tags)
        self._outbox: Outbox | None = None
        self.run_id = run_id

    # the id is stored in last.pt, so that a resumed training continues its own run
    def state_dict(self) -> dict[str, str | None]:
        return {"run_id": self.run_id}

    def load_state_dict(self, state: Mapping[str, str | None]) -> None:
        if self.run_id is None:
            self.run_id = state["run_id"]

    def start(self, files: Mapping[str, Any]) -> None:
        """Open a new run, or the one to continue, and log parameters and files.

        Args:
            files: file name to content: ``.yaml`` and ``.json`` files that describe the training.

        Raises:
            UserError: the store can't be reached, or the unsent messages of an earlier part can't be read.
        """
        unsent_messages(self.output_dir)  # a damaged file is reported before a run is opened
        try:
            client = open_store(self.tracking_uri)
            run_id, known = self._open_run(client)
            self._outbox = Outbox(self.output_dir, client, run_id, self.tracking_uri)
            # parameters of a run can't be logged twice
            parameters = [Param(name, value) for name, value in self._parameters.items() if name not in known]
            for first in range(0, len(parameters), 100):
                client.log_batch(run_id, params=parameters[first : first + 100])
            for name, content in files.items():
                client.log_text(run_id, _as_text(name, content), name)
            self._outbox.flush()  # what an earlier part of the training could not send
        except STORE_ERRORS as error:
            if self.run_id is not None:  # it must not be left as running
                self.finish("FAILED", error=repr(error))
            raise store_error(self.tracking_uri, error) from error

    def _open_run(self, client: mlflow.MlflowClient) -> tuple[str, Mapping[str, str]]:
        """The id of the run, and the parameters that it has, where it was there before."""
        experiment_id = open_experiment(client, self.tracking_uri, self.experiment_name)
        if self.run_id is not None and (known := self._parameters_of(client, self.run_id)) is not None:
            client.update_run(self.run_id, status="RUNNING")
            return self.run_id, known
        self.run_id = str(client.create_run(experiment_id, run_name=self._name, tags=self._tags).info.run_id)
        return self.run_id, {}

    def _parameters_of(self, client: mlflow.MlflowClient, run_id: str) -> Mapping[str, str] | None:
        try:
            return dict(client.get_run(run_id).data.params)
        except MlflowException:
            logger.warning(
                "the MLflow run %s of the earlier part is not in %s; starting a new run", run_id, self.tracking_uri
            )
            return None

    def attach(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        """Log after each epoch; to be attached after the validation."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._log_epoch, evaluator)

    def _log_epoch(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        rate = trainer.optimizer.param_groups[0]["lr"]
        values = {"learning_rate": rate, **trainer.state.metrics}
        if evaluator.state.epoch == trainer.state.epoch:  # validated in this epoch
            values |= evaluator.state.metrics
        self.log_metrics(values, trainer.state.epoch)

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log scores, by name."""
        if self._outbox is not None:
            self._outbox.send_metrics({name: float(value) for name, value in values.items()}, step)

    def log_picture(self, picture: np.ndarray, name: str, step: int) -> None:
        """Log an RGB picture (H, W, 3), uint8, of one epoch."""
        if self._outbox is not None:
            key = re.sub(r"[^\w\-./ ]", "_", name, flags=re.ASCII)  # MLflow refuses other characters
            self._outbox.send_picture(picture, key, step)

    def log_files(self, files: Iterable[Path], folder: str) -> None:
        """Upload files, those that exist, into a folder of the run's artifacts."""
        if self._outbox is not None:
            for file in files:
                if file.exists():
                    self._outbox.send_file(file, folder)

    def finish(self, status: str, files: tuple[Path, ...] = (), error: str = "") -> None:
        """Upload the model and close the run.

        Args:
            status: ``FINISHED``, ``FAILED`` or ``KILLED`` (interrupted).
            files: uploaded where they exist.
            error: what went wrong, as a tag.
        """
        if self._outbox is None:
            return
        self.log_files(files, "model")
        if error:
            self._outbox.send_tag("error", error[:500])
        self._outbox.send_end(status)


def _as_text(name: str, content: Any) -> str:
    return json.dumps(content, indent=2) if name.endswith(".json") else yaml.safe_dump(content, sort_keys=False)
