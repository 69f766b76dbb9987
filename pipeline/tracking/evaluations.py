"""An evaluation in MLflow: its scores and files, in the run of the training or in one of its own."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlflow
import yaml
from mlflow.entities import Metric, Run, RunTag
from mlflow.exceptions import MlflowException

from pipeline.errors import UserError, first_line
from pipeline.files import atomic_path
from pipeline.tracking.stores import STORE_ERRORS, open_store, store_error
from pipeline.tracking.tags import EVALUATED, EVALUATION_FOLDER, FOLD, SEED, TRAINING, VARIANT
from pipeline.tracking.tracked_run import open_experiment

FILE = "mlflow_run.json"
_SQLITE = "sqlite:///"


@dataclass(frozen=True)
class TrainingLink:
    """Where MLflow keeps a training.

    Attributes:
        tracking_uri: MLflow store.
        run_id: the training's run.
    """

    tracking_uri: str
    run_id: str


def write_training_link(directory: Path, link: TrainingLink) -> None:
    """Write it into the folder of a training's checkpoints (and not into these, which are passed on)."""
    with atomic_path(directory / FILE) as partial:
        partial.write_text(json.dumps(asdict(link), indent=2), encoding="utf-8")


def read_training_link(checkpoint: Path) -> TrainingLink | None:
    """The training of a `best.pt`; None where nothing tells it, or for another checkpoint.

    An SQLite store that is not where it was is looked for in the training's output folder, which may have been moved.
    """
    path = checkpoint.absolute().with_name(FILE)
    if checkpoint.name != "best.pt" or not path.is_file():
        return None
    try:
        link = TrainingLink(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # of another program
        return None
    store = Path(link.tracking_uri.removeprefix(_SQLITE))
    if link.tracking_uri.startswith(_SQLITE) and not store.is_file():
        moved = path.parent.parent / store.name
        return TrainingLink(f"{_SQLITE}{moved.as_posix()}", link.run_id) if moved.is_file() else None
    return link


logger = logging.getLogger("vlsenet")

#: in place of a store: nothing is sent
NOWHERE = "none"

#: tag that says which weights and images were evaluated: a training's run holds one evaluation
_OF = "evaluated"


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
        self._tracking_uri = tracking_uri
        self._experiment_name = experiment_name
        self._run_id = run_id
        self._tags = {name: str(value) for name, value in tags.items() if value is not None}
        self._checkpoint = None if checkpoint is None else Path(checkpoint)
        self._training: Run | None = None
        self._config: dict[str, Any] = {}

    def check(self, config: Mapping[str, Any]) -> None:
        """Check the store and the run before the work.

        Args:
            config: of the evaluation; kept with its results, so that it can be repeated.

        Raises:
            UserError: they were given, and can't be reached.
        """
        self._config = dict(config)
        if self._run_id is not None and self._tracking_uri in (None, NOWHERE):
            raise UserError(f"--mlflow_run_id {self._run_id}: --tracking_uri is missing; give the run's MLflow store")
        if self._tracking_uri is None:
            self._find_store()
        elif self._tracking_uri != NOWHERE:
            self._check_store(self._tracking_uri)

    def _find_store(self) -> None:
        """The training's own store, if there is one; it was not asked for, so the evaluation works without it."""
        link = None if self._checkpoint is None else read_training_link(self._checkpoint)
        if link is None:
            return
        try:
            training = open_store(link.tracking_uri).get_run(link.run_id)
        except STORE_ERRORS as error:
            logger.info(
                "the scores are not kept in MLflow: %s does not answer (%s)", link.tracking_uri, first_line(error)
            )
            return
        if training.info.lifecycle_stage == "deleted" or training.info.status == "RUNNING":
            why = "was deleted" if training.info.lifecycle_stage == "deleted" else "is still running"
            logger.info("the scores are not kept in MLflow: the training's run %s", why)
            return
        self._tracking_uri, self._training = link.tracking_uri, training

    def _check_store(self, tracking_uri: str) -> None:
        try:
            client = open_store(tracking_uri)
            if self._run_id is not None:
                client.get_run(self._run_id)
                return
            self._training = self._training_in(client)
            if self._training is None:
                open_experiment(client, tracking_uri, self._experiment_name)
        except STORE_ERRORS as error:
            raise store_error(tracking_uri, error) from error

    def _training_in(self, client: mlflow.MlflowClient) -> Run | None:
        """The run of the checkpoint's training, if it is in this store."""
        link = None if self._checkpoint is None else read_training_link(self._checkpoint)
        if link is None:
            return None
        try:
            run = client.get_run(link.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        return run if run.info.lifecycle_stage == "active" else None

    def send(self, folder: Path) -> None:
        """Send ``summary.json`` as metrics, and all files; if the store fails, warn only, as they are on disk.

        Metrics are ``evaluation_mean_SCORE`` (over the images) and ``evaluation_pooled_SCORE``.
        """
        if self._tracking_uri in (None, NOWHERE):
            return
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        now = int(time.time() * 1000)
        metrics = [
            Metric(f"evaluation_{kind}_{score}", value, now, 0)
            for kind in ("mean", "pooled")
            for score, value in summary[kind].items()
            if value is not None
        ]
        about = {EVALUATED: str(summary["split"]), _OF: _evaluated(summary)}
        try:
            client = open_store(self._tracking_uri)
            run_id, is_new = self._open_run(client, folder, about)
            client.log_text(run_id, yaml.safe_dump(self._config, sort_keys=False), f"{EVALUATION_FOLDER}/config.yaml")
            tags = [RunTag(name, value) for name, value in {**self._tags, **about}.items()]
            client.log_batch(run_id, metrics=metrics, tags=tags)
            for name in ("per_image.csv", "per_pore.csv", "summary.json"):
                client.log_artifact(run_id, str(folder / name), EVALUATION_FOLDER)
            for name in ("overlays", "truth"):
                client.log_artifacts(run_id, str(folder / name), f"{EVALUATION_FOLDER}/{name}")
            if is_new:
                client.set_terminated(run_id, "FINISHED")
            told = client.get_run(run_id)
        except STORE_ERRORS as error:
            logger.warning(
                "MLflow at %s did not accept the evaluation in %s: %s", self._tracking_uri, folder, first_line(error)
            )
            return
        variant = told.data.tags.get(VARIANT) or told.info.run_name
        logger.info(
            "scores are in the MLflow run %s (variant %s) of %s; vlsenet compare finds them there",
            told.info.run_name,
            variant,
            self._tracking_uri,
        )

    def _open_run(self, client: mlflow.MlflowClient, folder: Path, about: Mapping[str, str]) -> tuple[str, bool]:
        """The run that takes the evaluation, and whether it is a new one."""
        if self._run_id is not None:
            return self._run_id, False
        if self._training is None:
            experiment = open_experiment(client, str(self._tracking_uri), self._experiment_name)
            tags = {} if self._checkpoint is None else {VARIANT: _name_of(self._checkpoint)}
            made = client.create_run(experiment, run_name=folder.absolute().name, tags=tags)
            return str(made.info.run_id), True
        training = self._training
        if training.data.tags.get(_OF, about[_OF]) == about[_OF]:
            return str(training.info.run_id), False
        experiment = training.info.experiment_id
        own = f"tags.{TRAINING} = '{training.info.run_id}' and tags.{_OF} = '{about[_OF]}'"
        for earlier in client.search_runs([experiment], own, max_results=1):
            return str(earlier.info.run_id), False
        told = {**training.data.tags, **training.data.params}
        tags = {name: told[name] for name in (VARIANT, SEED, FOLD) if name in told}
        tags = {VARIANT: training.info.run_name, **tags, TRAINING: training.info.run_id}
        name = f"{training.info.run_name} on {folder.absolute().name}"
        return str(client.create_run(experiment, run_name=name, tags=tags).info.run_id), True


def _evaluated(summary: Mapping[str, Any]) -> str:
    """Which images and which weights: a repeated evaluation replaces the first."""
    return " ".join(str(summary.get(part, ""))[:16] for part in ("checkpoint_sha256", "data_fingerprint", "split"))


def _name_of(checkpoint: Path) -> str:
    """What a person calls a model: `first` for `runs/first/checkpoints/best.pt`."""
    path = checkpoint.absolute()
    folder = path.parent.parent if path.parent.name == "checkpoints" else path.parent
    return {"best": folder.name, "last": f"{folder.name} last"}.get(path.stem, path.stem)
