"""`vlsenet mlflow`, with a stand-in for MLflow's server that starts a process of its own, as that does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.errors import MISTAKE
from tests.interrupts import heed_interrupts

SERVER = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("child").write_text(str(child.pid))
child.wait()
"""


def alive(process: int) -> bool:
    """Whether a process runs; one that ended and that nobody asked for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_no_process_of_the_server_is_left(tmp_path: Path, ended_by: signal.Signals) -> None:
    (tmp_path / "stand_in" / "mlflow").mkdir(parents=True)
    (tmp_path / "stand_in" / "mlflow" / "__init__.py").touch()
    (tmp_path / "stand_in" / "mlflow" / "__main__.py").write_text(SERVER)
    path = os.pathsep.join(
        [str(tmp_path / "stand_in"), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    )
    words = [sys.executable, "-m", "pipeline.cli", "mlflow", "sqlite:///runs.db"]
    (tmp_path / "runs.db").write_bytes(b"SQLite format 3\0")
    command = subprocess.Popen(
        words,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    noted = tmp_path / "child"
    while not (noted.exists() and noted.read_text()):
        assert command.poll() is None, command.stderr.read().decode()
        time.sleep(0.05)
    child = int(noted.read_text())
    assert alive(child)
    command.send_signal(ended_by)
    assert command.wait(20) == 130
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(child)


@pytest.mark.parametrize("content", [None, b"", b"II*\0 an image"])
def test_a_file_that_is_no_store_is_refused_and_none_is_made(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "runs.db").write_bytes(content)
    assert main(["mlflow", "sqlite:///runs.db"]) == MISTAKE
    told = capsys.readouterr().err
    assert told == ("error: runs.db: no such file; check the path\n" if content is None else told)
    assert "runs.db: " in told
    assert (tmp_path / "runs.db").exists() == (content is not None)
    assert main(["mlflow", "--port", "99999"]) == MISTAKE
    assert "--port 99999: give a whole number from 1 to 65535" in capsys.readouterr().err
