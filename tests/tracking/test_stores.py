from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    PERMISSION_DENIED,
    REQUEST_LIMIT_EXCEEDED,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
    UNAUTHENTICATED,
)
from sqlalchemy.exc import OperationalError

from pipeline.errors import UserError
from pipeline.tracking import addresses
from pipeline.tracking.addresses import default_tracking_uri, kept_address, sqlite_file
from pipeline.tracking.stores import STORE_ERRORS, is_away, open_client, store_error


def begin(address: str) -> None:
    open_client(address).create_experiment(f"of process {os.getpid()}")


def experiments(file: Path) -> int:
    return len(open_client(f"sqlite:///{file}").search_experiments()) - 1  # without MLflow's own


def test_two_processes_that_make_one_store_at_once_both_use_it(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=begin, args=(f"sqlite:///{file}",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert experiments(file) == 2


def test_a_process_killed_while_it_makes_a_store_leaves_none(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    process = multiprocessing.get_context("spawn").Process(target=begin, args=(f"sqlite:///{file}",))
    process.start()
    while not list(tmp_path.iterdir()):
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert not file.exists()
    assert experiments(file) == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"no database" * 100, "file is not a database"), (b"SQLite format 3\0" + bytes(4000), "mlflow.db")],
)
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "mlflow.db"
    file.write_bytes(content)
    with pytest.raises(STORE_ERRORS) as caught:
        open_client(f"sqlite:///{file}")
    assert not is_away(caught.value)
    message = str(store_error(f"sqlite:///{file}", caught.value))
    assert told in message
    assert "move the file away" in message
    assert "\n" not in message
    assert file.read_bytes() == content


def test_a_locked_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE x (y)")
        database.execute("BEGIN EXCLUSIVE")
        with pytest.raises(STORE_ERRORS) as caught:
            open_client(f"sqlite:///{file}?timeout=0")
    assert is_away(caught.value)
    assert "wait for the process that uses it" in str(store_error(f"sqlite:///{file}", caught.value))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_address_to_check(code: int) -> None:
    """Nor can messages be kept there for a store that is away."""
    told = str(store_error("sqlite:////runs/mlflow.db", OSError(code, os.strerror(code))))
    assert told.startswith("no space left on the disk")
    assert "address" not in told


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (MlflowException("connection refused"), True),  # MLflow's kind for it
        (MlflowException("busy", TEMPORARILY_UNAVAILABLE), True),
        (MlflowException("slow down", REQUEST_LIMIT_EXCEEDED), True),
        (MlflowException("who are you", UNAUTHENTICATED), False),
        (MlflowException("no", PERMISSION_DENIED), False),
        (MlflowException("no such run", RESOURCE_DOES_NOT_EXIST), False),
        (TimeoutError(), True),
        (FileNotFoundError("report.html"), False),
        (PermissionError("/mlruns"), False),
        (OperationalError("", {}, Exception("connection to server at rock failed: Connection refused")), True),
        (OperationalError("", {}, Exception("FATAL: password authentication failed for user ada")), False),
        (ImportError("psycopg2"), False),
    ],
)
def test_what_passes_by_itself_and_what_does_not(error: Exception, away: bool) -> None:
    assert is_away(error) == away


@pytest.mark.parametrize(
    "name", ["30%Calcite", "a%20b", "#1", "a:b@c", "ü [1]", "%(here)s", *(["what?/x"] if addresses.decodes() else [])]
)
def test_a_store_in_a_folder_of_any_name_is_the_file_there(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    for address in (default_tracking_uri(folder), f"sqlite:///{folder}/mlflow.db"):  # also as a user types it
        assert sqlite_file(address) == folder / "mlflow.db"
        assert kept_address(address) == default_tracking_uri(folder)
        open_client(address).search_experiments()
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [folder / "mlflow.db"]


def test_options_of_a_database_stay_in_its_address(tmp_path: Path) -> None:
    (tmp_path / "1%").mkdir()
    for name in ("1%", "1%25") if addresses.decodes() else ("1%",):
        typed = f"sqlite:///{tmp_path}/{name}/a.db?timeout=3"
        assert sqlite_file(typed) == tmp_path / "1%" / "a.db"
        assert kept_address(typed).endswith("/a.db?timeout=3")
        open_client(typed).search_experiments()
    assert [path.name for path in (tmp_path / "1%").iterdir()] == ["a.db"]


def test_a_question_mark_that_cannot_be_told_from_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(addresses, "decodes", lambda: False)
    with pytest.raises(UserError, match=r"SQLAlchemy 2\.1"):
        default_tracking_uri(tmp_path / "what?" / "x")
