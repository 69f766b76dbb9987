"""MLflow stores: opening and reading them, and which of their errors pass by themselves."""

from __future__ import annotations

import functools
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import mlflow
import requests
from alembic.util import CommandError
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pipeline.errors import FULL_DISK, UserError, first_line, mistake_behind
from pipeline.files import temporary_file
from pipeline.shared_folders import shared_file_system
from pipeline.tracking.addresses import SQLITE, full_address, kept_address, sqlite_address, sqlite_file
from pipeline.wording import without_passwords

logger = logging.getLogger("vlsenet")

#: tags that name a run in comparisons
VARIANT, SEED, FOLD = "variant", "seed", "fold"
PARENT = "mlflow.parentRunId"
#: tag: the part of the data that a run was evaluated on
EVALUATED = "evaluated_split"
#: tag: the training of a run that is a further evaluation of it, and no training itself
TRAINING = "training"
#: tag: the id that a run had before a store knew it
KEY = "vlsenet.key"
#: folder of a run's artifacts with the files of its evaluation
EVALUATION_FOLDER = "evaluation"
#: folder of the parent run's artifacts with the report
COMPARISON_FOLDER = "comparison"
#: tag of an experiment that says that it holds trainings, for MLflow's pages until early in 2026; those of 3.17 go by a
#: switch of their own, which the address that `vlsenet mlflow` prints sets
KIND = {"mlflow.experimentKind": "custom_model_development"}
#: what the name of an experiment with repeated runs ends with
RERUNS = " reruns"

#: what a store raises that does not answer, is damaged or locked, or lacks its driver; MLflow hands on those of its
#: database as they are
STORE_ERRORS = (MlflowException, OSError, SQLAlchemyError, CommandError, ImportError)

#: in errors of databases that no waiting mends
_REFUSALS = ("unable to open", "authentication failed", "access denied", "does not exist")


def is_away(error: BaseException) -> bool:
    """Whether a store is out of reach or busy, so that the same message may be accepted later.

    Otherwise the message or the address is wrong, or the user has no access.
    """
    if isinstance(error, MlflowException):
        status = int(error.get_http_status_code())
    elif isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
    elif isinstance(error, SQLAlchemyError):
        return isinstance(error, OperationalError) and not any(word in str(error).lower() for word in _REFUSALS)
    else:
        return isinstance(error, OSError) and not isinstance(error, (FileNotFoundError, PermissionError))
    return status >= 500 or status == 429  # too many requests


def store_error(tracking_uri: str, error: BaseException) -> UserError:
    """What to say to the user of one of `STORE_ERRORS`."""
    if isinstance(error, OSError) and error.errno in FULL_DISK and (full := mistake_behind(error)) is not None:
        return full  # of the messages that are kept for a store that is away
    file, address, reason = sqlite_file(tracking_uri), kept_address(tracking_uri), without_passwords(first_line(error))
    if isinstance(error, ImportError):
        return UserError(f"--tracking_uri {address}: {reason}; install the driver of this database")
    if file is None or isinstance(error, (MlflowException, OSError)):
        what = "does not answer" if is_away(error) else "refuses"
        return UserError(f"--tracking_uri {address}: MLflow {what} ({reason}); check the address")
    remedy = "wait for the process that uses it" if "locked" in str(error) else "move the file away, or give another"
    return UserError(f"--tracking_uri {address}: MLflow can't open {file} ({reason}); {remedy}")


def open_client(tracking_uri: str) -> mlflow.MlflowClient:
    """The client of a store; an SQLite file that is not there is made.

    MLflow makes its tables one after the other, for seconds. A process that is stopped meanwhile would leave a file
    that no MLflow can open, and two that begin at once would disturb each other. So the file is made under another
    name.

    Raises:
        MlflowException, OSError, SQLAlchemyError, CommandError, ImportError: `STORE_ERRORS`; `store_error` puts them
            into words.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it logs a lot about its database
    file = sqlite_file(tracking_uri)
    if file is not None:
        _warn_if_shared(file)
        if not file.exists() and file.parent.is_dir():
            _make(file)
    return _client(full_address(tracking_uri))


@functools.cache
def _warn_if_shared(file: Path) -> None:
    """Once for each file."""
    if (kind := shared_file_system(file)) is not None:
        logger.warning(
            "%s is an SQLite file on a shared file system (%s), where several machines can damage it: start "
            "`mlflow server` on one of them, and give its address by --tracking_uri (docs/guide/cluster.md)",
            file,
            kind,
        )


def _client(address: str) -> mlflow.MlflowClient:
    """A client, without the empty folder that MLflow makes where the address of a file is not its path."""
    folder = Path(address.removeprefix(SQLITE)).parent if address.startswith(SQLITE) else Path()
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        return mlflow.MlflowClient(address)
    finally:
        for path in missing:
            with suppress(OSError):  # it is not there, or holds the file
                path.rmdir()


def _make(file: Path) -> None:
    with temporary_file(file.with_name(f".{file.name}-{uuid4().hex[:12]}")) as new:
        _client(sqlite_address(new))
        try:
            os.link(new, file)  # a rename would replace what another process has made and used meanwhile
        except FileExistsError:
            return
        except OSError:  # a file system without links
            new.replace(file)


def new_key() -> str:
    """An id for a run that no store has yet; it becomes the run's tag `KEY`."""
    return f"unsent-{uuid4().hex}"


def is_key(run_id: str) -> bool:
    """Whether an id is such a key."""
    return run_id.startswith("unsent-")


def find_run(client: mlflow.MlflowClient, run_id: str) -> Run | None:
    """A run by its id, or by the one that it had before the store knew it; None where the store has none.

    Raises:
        MlflowException, OSError, SQLAlchemyError: the store does not answer, or refuses.
    """
    if is_key(run_id):
        experiments = [one.experiment_id for one in client.search_experiments()]
        found = client.search_runs(experiments, f"tags.`{KEY}` = '{run_id}'", max_results=1)
        return found[0] if found else None
    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def open_experiment(client: mlflow.MlflowClient, tracking_uri: str, name: str) -> str:
    """The id of an MLflow experiment, which is created if it does not exist.

    With a SQLite store, which may serve many trainings, its files lie beside the store; a server keeps its own.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    file = sqlite_file(tracking_uri)
    location = None if file is None else (file.absolute().parent / "mlflow_artifacts").as_uri()
    try:
        return str(client.create_experiment(name, artifact_location=location, tags=KIND))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # made by another process meanwhile
            raise
        return open_experiment(client, tracking_uri, name)


def check_store(tracking_uri: str, run_id: str | None = None) -> None:
    """Refuse an address that can't be right, before the work; a store that is away for now is no reason to stop.

    Args:
        tracking_uri: MLflow store.
        run_id: a run that it must have.

    Raises:
        UserError: no MLflow store, no such run, or no access.
    """
    try:
        client = open_client(tracking_uri)
        found = find_run(client, run_id) if run_id is not None else client.search_experiments(max_results=1)
    except STORE_ERRORS as error:
        if not is_away(error):
            raise store_error(tracking_uri, error) from error
        return
    if found is None and not is_key(str(run_id)):
        raise UserError(
            f"--mlflow_run_id {run_id}: no such run in --tracking_uri {kept_address(tracking_uri)}; "
            "give an id as MLflow shows it"
        )


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run as its store has it.

    Attributes:
        name: the run's, or its id.
        experiment: id of its experiment.
        status: ``RUNNING``, ``FINISHED``, ``FAILED`` or ``KILLED``.
        metrics: last value of each.
    """

    store: Store
    run_id: str
    name: str
    experiment: str = ""
    status: str = "FINISHED"
    tags: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    def files(self, folder: str | None = None) -> set[str]:
        """Paths of the artifacts in a folder of the run's."""
        with self.store.answering():
            return {item.path for item in self.store.client.list_artifacts(self.run_id, folder)}

    def download(self, path: str, folder: Path) -> Path:
        """Put an artifact into a folder; returns where it is."""
        folder.mkdir(parents=True, exist_ok=True)
        with self.store.answering():
            return Path(self.store.client.download_artifacts(self.run_id, path, str(folder)))

    def history(self, metric: str) -> list[tuple[int, float]]:
        """Epoch and value of every time that a metric was logged."""
        with self.store.answering():
            return [(one.step, one.value) for one in self.store.client.get_metric_history(self.run_id, metric)]


class Store:
    """A store to read from.

    Args:
        tracking_uri: ``sqlite:///FILE.db`` with runs, or a server's address.

    Raises:
        UserError: an SQLite file that is not there (MLflow would make it), or a server that does not answer; also of
            all methods.
    """

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri
        path, address = sqlite_file(tracking_uri), f"--tracking_uri {kept_address(tracking_uri)}"
        if path is not None and not path.is_file():
            raise UserError(f"{address}: no file {path}; give the mlflow.db of the runs")
        if path is not None and not _holds_runs(path):
            raise UserError(f"{address}: {path} is not an MLflow store; give the mlflow.db of the runs")
        with self.answering():
            self.client = open_client(tracking_uri)
            self.client.search_experiments(max_results=1)

    @contextmanager
    def answering(self) -> Iterator[None]:
        try:
            yield
        except STORE_ERRORS as error:
            raise store_error(self.tracking_uri, error) from error

    def experiments(self) -> dict[str, str]:
        """Ids of the experiments, by name."""
        with self.answering():
            return {one.name: str(one.experiment_id) for one in self.client.search_experiments()}

    def find(self, run_id: str) -> StoredRun | None:
        """A run, unless it was deleted."""
        with self.answering():
            run = find_run(self.client, run_id)
        return None if run is None or run.info.lifecycle_stage == "deleted" else self._stored(run)

    def runs(self, experiments: Sequence[str], tags: Mapping[str, str | None] | None = None) -> list[StoredRun]:
        """The runs of experiments, by their ids, that have tags; None stands for any value."""
        asked = {name: "LIKE '%'" if value is None else f"= '{value}'" for name, value in (tags or {}).items()}
        query = " and ".join(f"tags.`{name}` {condition}" for name, condition in asked.items())
        found: list[StoredRun] = []
        token = None
        while True:
            with self.answering():
                page = self.client.search_runs(list(experiments), query, max_results=1000, page_token=token)
            found += map(self._stored, page)
            token = page.token
            if not token:
                return found

    def _stored(self, run: Run) -> StoredRun:
        info, data = run.info, run.data
        name = str(info.run_name or info.run_id)
        held = dict(data.tags), dict(data.params), dict(data.metrics)
        return StoredRun(self, str(info.run_id), name, str(info.experiment_id), str(info.status), *held)


def _holds_runs(file: Path) -> bool:
    """Whether a file is a store of MLflow, which would make one of an empty file."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone() is not None
    except sqlite3.Error:
        return False
