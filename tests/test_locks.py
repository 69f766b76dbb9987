from __future__ import annotations

import errno
import fcntl
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from pipeline.annotations.session import LabelSession
from pipeline.engine.journal import Journal
from pipeline.errors import UserError
from pipeline.experiments.record import locked
from pipeline.locks import take_lock
from pipeline.workflows.checkpoints import TrainingCheckpoints


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    files = [(tmp_path / "lock").open("w") for _ in range(2)]
    assert take_lock(files[0].fileno(), "results")
    assert not take_lock(files[1].fileno(), "results")
    files[0].close()
    assert take_lock(files[1].fileno(), "results")
    files[1].close()


def test_readers_share_a_lock_and_keep_writers_out(tmp_path: Path) -> None:
    files = [(tmp_path / "lock").open("w") for _ in range(3)]
    assert take_lock(files[0].fileno(), "results", shared=True)
    assert take_lock(files[1].fileno(), "results", shared=True)
    assert not take_lock(files[2].fileno(), "results")
    for file in files[:2]:
        file.close()
    assert take_lock(files[2].fileno(), "results")
    files[2].close()


def test_whom_a_lock_is_waited_for_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By another process, which the kernel knows; after some time the wait ends."""
    path = tmp_path / "lock"
    code = "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(); input()"
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        holder.stdout.readline()
        monkeypatch.setattr("pipeline.locks._QUIET", 0.1)
        monkeypatch.setattr("pipeline.locks.PATIENCE", 1.0)
        named = rf"process {holder.pid} \(" if Path("/proc/locks").exists() else "another process"
        with path.open("w") as file, pytest.raises(UserError, match=f"^results: {named}.*has held its lock"):
            take_lock(file.fileno(), "results", wait=True)
        (said,) = [record.getMessage() for record in caplog.records]
        assert re.match(f"results: waiting for {named}", said)
        monkeypatch.setattr("pipeline.locks.PATIENCE", 60.0)
        threading.Timer(0.3, holder.stdin.close).start()
        with path.open("w") as file:
            assert take_lock(file.fileno(), "results", wait=True)
    finally:
        holder.kill()
        holder.wait()


def _of_a_run(folder: Path) -> None:
    with locked(folder / "lock") as descriptor:
        assert descriptor is not None


def _of_a_scan(folder: Path) -> None:
    with closing(Journal.open(folder / "journal", {"scan": "a"})) as journal:
        assert not journal.entries()


def _of_a_training(folder: Path) -> None:
    checkpoints = TrainingCheckpoints(str(folder / "checkpoints"), dict, {}, {})
    checkpoints.lock()
    checkpoints.unlock()


def _of_labels(folder: Path) -> None:
    (folder / "images").mkdir(exist_ok=True)
    Image.new("L", (20, 20)).save(folder / "images" / "a.png")
    with LabelSession(folder) as session:
        assert session.images


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.parametrize("begun", [_of_a_run, _of_a_scan, _of_a_training, _of_labels])
def test_a_file_system_without_locks_is_no_other_process(
    code: int,
    begun: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Work is done there, with one warning."""

    def fails(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", fails)
    for _ in range(2):
        begun(tmp_path)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert str(tmp_path) in warning
    assert os.strerror(code) in warning
    assert "start no second process" in warning
