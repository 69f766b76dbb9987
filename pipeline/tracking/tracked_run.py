"""One MLflow run of a training, evaluation, audit, scan or experiment, also where its store is away."""

from __future__ import annotations

import getpass
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ignite.engine import Events
from mlflow.utils.mlflow_tags import MLFLOW_SOURCE_NAME, MLFLOW_SOURCE_TYPE, MLFLOW_USER
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from pipeline.bundle_files import flattened
from pipeline.files import name_that_fits
from pipeline.tracking.addresses import default_tracking_uri
from pipeline.tracking.logged_model import ModelToLog
from pipeline.tracking.machine_use import MachineUse
from pipeline.tracking.outbox import Outbox, unsent_messages
from pipeline.tracking.stores import STORE_ERRORS, Store, StoredRun, check_store, new_key, store_error

logger = logging.getLogger("vlsenet")

#: letters of a picture's name, to which MLflow adds step, time and a number of its own
_LONGEST_KEY = 120
#: MLflow's limit for the value of a parameter
_LONGEST_PARAMETER = 6000


class TrackedRun:
    """An MLflow run that records how it ended, also after an interrupt.

    A store that is away, at the start or later, stops no work: what it did not accept, if need be the whole run, is
    kept in the output folder and sent later (`pipeline.tracking.outbox`). Only what can't be right is refused at the
    start: an address, a run that is not there, a missing permission.

    MONAI's MLFlowHandler appends a new training to one that crashed, leaves a crashed run RUNNING for ever, and lets
    an environment variable win over the store that the user named.

    Args:
        tracking_uri: MLflow store; None for SQLite in ``output_dir``.
        experiment_name: MLflow experiment, created if it does not exist.
        run_name: name of the run; None for the name of ``output_dir``.
        output_dir: folder of results; holds the store's files where that is SQLite, and what waits for the store.
        parameters: logged once; nested ones are flattened with dots.
        tags: logged with a new run.
        run_id: run that was made for this one; None for a new one, or that of the checkpoint that is resumed.
        parent: id of the parent run.
        evaluation: which weights and images were evaluated; the run may then be that of the training ...
        training: ... with this id.
        datasets: that the work reads (`pipeline.tracking.provenance.dataset_inputs`).
        default_uri: in place of SQLite in ``output_dir``.
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
        *,
        parent: str | None = None,
        evaluation: str | None = None,
        training: str | None = None,
        datasets: Sequence[Mapping[str, str]] = (),
        default_uri: str | None = None,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.tracking_uri = tracking_uri or default_uri or default_tracking_uri(output_dir)
        self._wanted: dict[str, Any] = {
            "experiment": experiment_name,
            "name": run_name or self.output_dir.absolute().name,
            "parameters": {name: str(value)[:_LONGEST_PARAMETER] for name, value in flattened(parameters).items()},
            "tags": {**_origin(), **tags},
            "parent": parent,
            "evaluation": evaluation,
            "training": training,
            "given": run_id is not None,
            "datasets": [dict(one) for one in datasets],
        }
        self._given = run_id
        self._key = new_key()
        self._outbox = Outbox(self.output_dir, self.tracking_uri, run_id or self._key)
        self._started = False
        self._machine = MachineUse()

    @property
    def run_id(self) -> str | None:
        """The run's id once it was started; a key (`pipeline.tracking.stores.new_key`) until the store gave one."""
        return self._outbox.run_id if self._started or self._outbox.run_id != self._key else None

    # the id is stored in last.pt, so that a resumed training continues its own run
    def state_dict(self) -> dict[str, str | None]:
        return {"run_id": self.run_id}

    def load_state_dict(self, state: Mapping[str, str | None]) -> None:
        if self._given is None and state["run_id"] is not None:
            self._outbox.run_id = state["run_id"]

    def start(self, files: Mapping[str, Any], after_work: bool = False) -> None:
        """Open a new run, or the one to continue, and log parameters and files.

        Args:
            files: file name to content: ``.yaml`` and ``.json`` files that describe the work.
            after_work: the results are there, so that what a store refuses is kept with a warning.

        Raises:
            UserError: the store or the run can't be right, or the unsent messages of an earlier part can't be read.
        """
        unsent_messages(self.output_dir)  # a damaged file is reported before a run is opened
        if self._given is not None and not after_work:
            check_store(self.tracking_uri, self._given)
        try:
            self._outbox.flush()  # what an earlier part of the training could not send
            self._outbox.start(self._wanted, refusal_kept=after_work)
            self._started = True
            for name, content in files.items():
                self._outbox.send_text(name, _as_text(name, content), refusal_kept=after_work)
        except STORE_ERRORS as error:
            self.finish("FAILED", error=repr(error))  # a run that was made must not be left as running
            raise store_error(self.tracking_uri, error) from error

    def attach(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        """Log after each epoch; to be attached after the validation."""
        self._machine.attach(trainer)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._log_epoch, evaluator)

    def _log_epoch(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        rate = trainer.optimizer.param_groups[0]["lr"]
        values = {"learning_rate": rate, **trainer.state.metrics}
        if evaluator.state.epoch == trainer.state.epoch:  # validated in this epoch
            values |= evaluator.state.metrics
        values |= self._machine.of_epoch()
        self.log_metrics(values, trainer.state.epoch)

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log scores, by name."""
        if self._started and values:
            self._outbox.send_metrics({name: float(value) for name, value in values.items()}, step)

    def log_picture(self, picture: np.ndarray, name: str, step: int) -> None:
        """Log an RGB picture (H, W, 3), uint8, of one epoch."""
        if self._started:
            key = re.sub(r"[^\w\-./ ]", "_", name, flags=re.ASCII)  # MLflow refuses other characters
            key = name_that_fits(key, longest=_LONGEST_KEY)
            self._outbox.send_picture(picture, key, step)

    def log_files(self, files: Iterable[Path], folder: str) -> None:
        """Upload files, those that exist, or what is in folders, into a folder of the run's artifacts."""
        if self._started:
            for file in files:
                if file.exists():
                    self._outbox.send_file(file, folder)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run."""
        if self._started and tags:
            self._outbox.send_tags(tags)

    def stored(self) -> StoredRun | None:
        """The run as its store has it; None while the store lacks something of it."""
        if self.run_id is None or self._outbox.waiting():
            return None
        return Store(self.tracking_uri).find(self.run_id)

    def finish(self, status: str, model: ModelToLog | None = None, error: str = "") -> None:
        """Upload the model and close the run; that of a training which was only evaluated stays as it was.

        Args:
            status: ``FINISHED``, ``FAILED`` or ``KILLED`` (interrupted).
            model: that was trained, if there is one.
            error: what went wrong, as a tag.
        """
        if not self._started:
            return
        if model is not None:
            self._outbox.send_model(model)
        if error:
            self._outbox.send_error(error)
        self._outbox.send_end(status, self._key if self._wanted["evaluation"] else None)


def _as_text(name: str, content: Any) -> str:
    return json.dumps(content, indent=2) if name.endswith(".json") else yaml.safe_dump(content, sort_keys=False)


def _origin() -> dict[str, str]:
    """Who made a run, and by what, where MLflow's pages show it."""
    tags = {MLFLOW_SOURCE_NAME: "vlsenet", MLFLOW_SOURCE_TYPE: "LOCAL"}
    with suppress(OSError, KeyError, ImportError):  # in a container, a user may have no name
        tags[MLFLOW_USER] = getpass.getuser()
    return tags
