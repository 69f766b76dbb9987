"""`vlsenet mlflow`, with a stand-in for MLflow's server that starts a process of its own, as that does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.errors import MISTAKE
from tests.interrupts import heed_interrupts
from tests.paths import ROOT

SERVER = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {child!r}])
pathlib.Path("child").write_text(str(child.pid))
child.wait()
"""
OBEDIENT = "import time; time.sleep(60)"
#: as a server that waits for its pages
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {OBEDIENT}"


def alive(process: int) -> bool:
    """Whether a process runs; one that ended and that nobody asked for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("ended_by", "server"),
    [(signal.SIGINT, OBEDIENT), (signal.SIGTERM, OBEDIENT), (signal.SIGHUP, OBEDIENT), (signal.SIGTERM, STUBBORN)],
)
def test_no_process_of_the_server_is_left(tmp_path: Path, ended_by: signal.Signals, server: str) -> None:
    (tmp_path / "stand_in" / "mlflow").mkdir(parents=True)
    (tmp_path / "stand_in" / "mlflow" / "__init__.py").touch()
    (tmp_path / "stand_in" / "mlflow" / "__main__.py").write_text(SERVER.format(child=server))
    path = os.pathsep.join([str(tmp_path / "stand_in"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "pipeline.cli", "mlflow", "sqlite:///runs.db", "--port", str(port)]
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
    assert not alive(child)  # now, not later: the next command may want the port


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


def test_a_port_that_is_taken_and_a_server_s_address_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"SQLite format 3\0")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["mlflow", str(tmp_path), "--port", str(port)]) == MISTAKE
    told = capsys.readouterr().err
    assert told == f"error: --port {port}: Address already in use; give another one, such as {port + 1}\n"
    assert main(["mlflow", "http://localhost:5000"]) == MISTAKE
    assert "open this address in a browser" in capsys.readouterr().err


def test_mlflow_itself_is_not_loaded() -> None:
    """It takes seconds to load, and to leave: the pages would come, and end, as much later."""
    asked = "import sys; from pipeline.cli import mlflow_pages; print('mlflow' in sys.modules, 'torch' in sys.modules)"
    asked = "from pipeline.tracking import training_link; " + asked
    found = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]
