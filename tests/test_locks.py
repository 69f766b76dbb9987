from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from pipeline.experiments.record import locked
from pipeline.locks import take_lock


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    files = [(tmp_path / "lock").open("w") for _ in range(2)]
    assert take_lock(files[0].fileno(), "results")
    assert not take_lock(files[1].fileno(), "results")
    files[0].close()
    assert take_lock(files[1].fileno(), "results")
    files[1].close()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_no_other_process(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", fails)
    for _ in range(2):
        with locked(tmp_path / "lock") as descriptor:
            assert descriptor is not None
    (warning,) = [record.getMessage() for record in caplog.records]
    assert str(tmp_path) in warning
    assert os.strerror(code) in warning
    assert "start no second process" in warning
