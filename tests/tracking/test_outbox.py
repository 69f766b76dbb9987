from __future__ import annotations

import json
import logging
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from pipeline.cli.main import main
from pipeline.errors import UserError
from pipeline.tracking import outbox as outbox_module
from pipeline.tracking.outbox import Outbox
from pipeline.tracking.tracked_run import TrackedRun

PICTURE = np.random.default_rng(0).integers(0, 255, (4, 5, 3)).astype(np.uint8)


class Store:
    """An MLflow client that takes notes of what it was told, and that can be away or unwilling."""

    def __init__(self) -> None:
        self.told: list[tuple] = []
        self.calls = 0
        self.error: Exception | None = None

    def _hear(self, *what: object) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error
        self.told.append(what)

    def log_batch(self, run_id, metrics=(), tags=()):
        self._hear(run_id, *((m.key, m.value, m.step, m.timestamp) for m in metrics), *((t.key, t.value) for t in tags))

    def log_image(self, run_id, picture, key, step):
        self._hear(run_id, key, step, picture.tolist())

    def log_artifact(self, run_id, file, folder):
        self._hear(run_id, Path(file).name, folder)

    def set_terminated(self, run_id, status, end_time):
        self._hear(run_id, status)


AWAY = MlflowException("API request to http://rock:5000 failed")  # as MLflow tells a refused connection
REFUSED = MlflowException("the run must be active", INVALID_PARAMETER_VALUE)


@pytest.fixture
def store(monkeypatch) -> Store:
    monkeypatch.setattr(outbox_module, "_failed", {})
    monkeypatch.setattr(outbox_module, "_warned", {})
    made = Store()
    monkeypatch.setattr(outbox_module, "open_client", lambda _: made)
    return made


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(outbox_module.time, "monotonic", lambda: now[0])
    return now


def make(folder: Path) -> Outbox:
    return Outbox(folder, "http://rock:5000", "run")


def test_what_a_store_missed_it_gets_in_order_when_it_is_back(tmp_path, store, clock, caplog):
    box = make(tmp_path / "out")
    box.send_metrics({"loss": 3.0}, 1)
    store.error = AWAY
    with caplog.at_level(logging.INFO, "vlsenet"):
        box.send_metrics({"loss": 2.0, "dice": float("nan")}, 2)
        box.send_picture(PICTURE, "val", 2)
        box.send_tags({"a": "b"})
        store.error = None
        clock[0] += 10  # not asked again so soon: each call to a server that hangs takes its time
        box.send_metrics({"loss": 1.5}, 3)
        assert store.calls == 2
        clock[0] += 30
        box.send_metrics({"loss": 1.0}, 4)
    assert [told[1] if told[1] == "val" else told[1][-2] for told in store.told] == [1, 2, "val", "a", 3, 4]
    assert store.told[2] == ("run", "val", 2, PICTURE.tolist())
    assert [value[:2] for value in store.told[1][1:2]] == [("loss", 2.0)]
    assert np.isnan(store.told[1][2][1])
    assert list((tmp_path / "out").iterdir()) == []
    assert sum("did not accept" in line for line in caplog.messages) == 1  # once for an outage
    assert "is back and accepted 2 x metrics, picture, tags" in caplog.text


def test_a_store_that_stays_away_is_told_with_the_file_to_keep(tmp_path, store, clock, caplog):
    box = make(tmp_path)
    store.error = AWAY
    with caplog.at_level(logging.WARNING, "vlsenet"):
        for step in range(3):
            box.send_metrics({"loss": 1.0}, step)
        assert len(caplog.messages) == 1
        clock[0] += 1000
        box.send_end("FINISHED")
    assert "did not accept 3 x metrics, end of the run" in caplog.messages[-1]
    assert str(tmp_path / "mlflow_unsent.jsonl") in caplog.messages[-1]
    # the next part of the training sends it
    store.error = None
    clock[0] += 60
    assert make(tmp_path).flush() == []
    assert [told[1] for told in store.told][-1] == "FINISHED"
    assert len(store.told) == 4


def test_one_refused_message_does_not_hold_up_the_others(tmp_path, store, clock):
    box = make(tmp_path)
    store.error = REFUSED
    box.send_tags({"bad": "x"})
    store.error = None
    box.send_metrics({"loss": 1.0}, 1)
    assert len(store.told) == 1
    (kept,) = box.waiting()
    assert "must be active" in kept["refused"]


def test_it_goes_away_again_while_it_is_told(tmp_path, store, clock):
    box = make(tmp_path)
    store.error = AWAY
    for step in range(4):
        box.send_metrics({"loss": 1.0}, step)
    heard = store._hear

    def tired(*what: object) -> None:
        store.error = AWAY if len(store.told) == 2 else None
        heard(*what)

    store._hear = tired  # type: ignore[method-assign]
    clock[0] += 60
    box.send_metrics({"loss": 1.0}, 4)
    assert [told[1][2] for told in store.told] == [0, 1]
    assert [message["step"] for message in box.waiting()] == [2, 3, 4]


def test_a_damaged_file_is_told(tmp_path, store):
    (tmp_path / "mlflow_unsent.jsonl").write_text("{\n")
    with pytest.raises(UserError, match=r"mlflow_unsent\.jsonl can't be read"):
        make(tmp_path).flush()
    run = TrackedRun(None, "rock", None, str(tmp_path), {}, {})
    with pytest.raises(UserError, match=r"mlflow_unsent\.jsonl can't be read"):
        run.start({})
    assert run.run_id is None  # no run was opened that would be left as running


def test_a_line_that_a_kill_cut_off_is_dropped(tmp_path, store, clock):
    box = make(tmp_path)
    store.error = AWAY
    box.send_metrics({"loss": 2.0}, 1)
    with box.file.open("a") as file:
        file.write('{"run_id": "run", "ki')
    assert [message["step"] for message in box.waiting()] == [1]
    box.send_metrics({"loss": 1.0}, 2)
    assert [message["step"] for message in box.waiting()] == [1, 2]
    store.error = None
    clock[0] += 60
    assert not box.flush()
    assert [told[1][2] for told in store.told] == [1, 2]


def test_an_error_without_a_text_stops_no_training(tmp_path, store, clock, caplog):
    store.error = TimeoutError()
    with caplog.at_level(logging.WARNING, "vlsenet"):
        make(tmp_path).send_metrics({"loss": 2.0}, 1)
    assert "did not accept metrics (TimeoutError); kept" in caplog.text


def test_a_run_in_a_real_store_is_whole_after_an_outage(tmp_path, monkeypatch, capsys):
    run = TrackedRun(None, "rock", None, str(tmp_path), {}, {})
    run.start({})
    log_batch = mlflow.MlflowClient.log_batch
    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", lambda *_, **__: (_ for _ in ()).throw(AWAY))
    run.log_metrics({"loss": 2.0}, 1)
    run.log_picture(PICTURE, "val", 1)
    run.finish("FINISHED")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    assert client.get_run(run.run_id).info.status == "RUNNING"
    assert main(["send", str(tmp_path)]) == 1
    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", log_batch)
    assert main(["send", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 of 3 messages were sent")
    assert client.get_run(run.run_id).info.status == "FINISHED"
    assert [(m.step, m.value) for m in client.get_metric_history(run.run_id, "loss")] == [(1, 2.0)]
    assert [item.path for item in client.list_artifacts(run.run_id)] == ["images"]
    assert main(["send", str(tmp_path / "none")]) == 1


def test_the_file_is_a_line_for_each_message(tmp_path, store, clock):
    store.error = AWAY
    box = make(tmp_path)
    box.send_metrics({"loss": 1.0}, 7)
    (line,) = (tmp_path / "mlflow_unsent.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 7


def test_a_folder_where_nothing_waits_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["send", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"nothing waits to be sent in {tmp_path}\n"
