"""A run in a real MLflow server, with its own database and artifact store, that goes away and comes back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest

from pipeline.tracking.logged_model import ModelToLog
from pipeline.tracking.tracked_run import TrackedRun

pytestmark = pytest.mark.slow  # the server takes its time to start


class Server:
    """An MLflow server on loopback that can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        line += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        line += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                line, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
                time.sleep(0.2)
        raise TimeoutError((self.folder / "server.log").read_text()[-2000:])

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.stop()


def test_nothing_is_lost_when_the_server_goes_away_and_comes_back(server, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("pipeline.tracking.outbox._PAUSE", 0.0)
    picture = np.random.default_rng(0).integers(0, 255, (6, 7, 3)).astype(np.uint8)
    model = tmp_path / "best.pt"
    model.write_bytes(b"weights")
    run = TrackedRun(server.address, "rock", "first", str(tmp_path / "out"), {"seed": 0}, {"torch": "2"})
    run.start({"config.yaml": {"seed": 0}})
    run.log_metrics({"loss": 3.0}, 1)
    server.stop()
    run.log_metrics({"loss": 2.0}, 2)
    run.log_picture(picture, "val", 2)
    assert "did not accept metrics" in caplog.text
    server.start()
    run.log_metrics({"loss": 1.0}, 3)
    run.finish("FINISHED", ModelToLog(model, "vlsenet", ("pore",), {}, 2))

    client = mlflow.MlflowClient(server.address)
    found = client.get_run(run.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params == {"seed": "0"}
    assert [(m.step, m.value) for m in client.get_metric_history(run.run_id, "loss")] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert {item.path for item in client.list_artifacts(run.run_id)} == {"config.yaml", "images"}
    stored = list((server.folder / "artifacts").rglob("best.pt"))
    assert [file.read_bytes() for file in stored] == [b"weights"]  # with the server, not here
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
