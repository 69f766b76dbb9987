"""MLflow stores, opened alike by all commands; an SQLite file is made whole or not at all."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from uuid import uuid4

import mlflow
from alembic.util import CommandError
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import UserError, first_line

_SQLITE = "sqlite:///"

#: what a store raises that does not answer, is damaged or locked; MLflow hands on those of its database as they are
STORE_ERRORS = (MlflowException, OSError, SQLAlchemyError, CommandError)


def sqlite_file(tracking_uri: str) -> Path | None:
    """The file of an SQLite store; None for any other address."""
    if not tracking_uri.startswith(_SQLITE):
        return None
    return Path(tracking_uri.removeprefix(_SQLITE).partition("?")[0])  # options of the database may follow


def default_tracking_uri(output_dir: str) -> str:
    """The SQLite store of an output folder."""
    return f"sqlite:///{(Path(output_dir).absolute() / 'mlflow.db').as_posix()}"


def open_store(tracking_uri: str) -> mlflow.MlflowClient:
    """The client of a store; an SQLite file that is not there is made.

    MLflow makes its tables one after the other, for seconds. A process that is stopped meanwhile would leave a file
    that no MLflow can open, and two that begin at once would disturb each other. So the file is made under another
    name.

    Raises:
        MlflowException, OSError, SQLAlchemyError, CommandError: `STORE_ERRORS`; `store_error` puts them into words.
    """
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it logs a lot about its database
    file = sqlite_file(tracking_uri)
    if file is not None and not file.exists() and file.parent.is_dir():
        _make(file)
    return mlflow.MlflowClient(tracking_uri)


def _make(file: Path) -> None:
    new = file.with_name(f".{file.name}-{uuid4().hex[:12]}")
    try:
        mlflow.MlflowClient(f"{_SQLITE}{new.absolute().as_posix()}")
        try:
            os.link(new, file)  # a rename would replace what another process has made and used meanwhile
        except FileExistsError:
            return
        except OSError:  # a file system without links
            new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def store_error(tracking_uri: str, error: BaseException) -> UserError:
    """What to tell the user of one of `STORE_ERRORS`."""
    file = sqlite_file(tracking_uri)
    if file is None or isinstance(error, (MlflowException, OSError)):
        return UserError(
            f"--tracking_uri {tracking_uri}: MLflow does not answer ({first_line(error)}); check the address"
        )
    remedy = "wait for the process that uses it" if "locked" in str(error) else "move the file away, or give another"
    return UserError(f"--tracking_uri {tracking_uri}: MLflow can't open {file} ({first_line(error)}); {remedy}")
