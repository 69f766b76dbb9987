"""A store that is away: each kind of run is kept beside its results, and reaches the store later, once and in order."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from pipeline.errors import UserError
from pipeline.experiments import Run
from pipeline.experiments.parent_run import open_mlflow, read_mlflow
from pipeline.tracking import outbox as outbox_module
from pipeline.tracking import stores
from pipeline.tracking.addresses import ADDRESS_VARIABLE, full_address, kept_address
from pipeline.tracking.evaluations import EvaluationLog
from pipeline.tracking.logged_model import ModelToLog
from pipeline.tracking.outbox import FILE_NAME, send_unsent, unsent_messages
from pipeline.tracking.stores import Store, check_store, is_key
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.tracking.training_link import read_training_link, write_training_link


class Server:
    """An SQLite store that can be away, as one behind a server would be."""

    def __init__(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.address, self.is_away, self.asked = address, True, 0
        opened = stores.open_client

        def open_client(tracking_uri: str) -> mlflow.MlflowClient:
            self.asked += self.is_away
            if self.is_away:
                raise MlflowException("API request to http://rock:5000 failed")  # a refused connection, in its words
            return opened(tracking_uri)

        for module in ("outbox", "evaluations", "stores"):
            monkeypatch.setattr(f"pipeline.tracking.{module}.open_client", open_client)

    @property
    def client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(self.address)

    def runs(self, experiment: str) -> list[mlflow.entities.Run]:
        found = self.client.get_experiment_by_name(experiment)
        return [] if found is None else self.client.search_runs([found.experiment_id])

    def files(self, run_id: str, folder: str | None = None) -> set[str]:
        return {item.path for item in self.client.list_artifacts(run_id, folder)}


@pytest.fixture
def server(tmp_path: Path, make_store: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(outbox_module, "_failed", {})
    monkeypatch.setattr(outbox_module, "_warned", {})
    return Server(make_store(tmp_path / "server"), monkeypatch)


def tracked(server: Server, folder: Path) -> TrackedRun:
    return TrackedRun(server.address, "rock", None, str(folder), {"seed": 0}, {"torch": "2"})


def test_a_training_begun_while_the_store_is_away_reaches_it_whole(server, tmp_path, caplog):
    out = tmp_path / "out"
    model = out / "checkpoints" / "best.pt"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    run = tracked(server, out)
    with caplog.at_level(logging.WARNING, "vlsenet"):
        run.start({"config.yaml": {"seed": 0}})
        write_training_link(model.parent, run.tracking_uri, str(run.run_id))
        for epoch in (1, 2):
            run.log_metrics({"loss": 3.0 - epoch}, epoch)
            run.log_picture(np.zeros((4, 5, 3), np.uint8), "val", epoch)
        run.finish("FINISHED", ModelToLog(model, "vlsenet", ("pore",), {}, 2))
    assert len(caplog.messages) == 1
    assert f"kept in {out / FILE_NAME}" in caplog.text
    assert f"vlsenet send {out}" in caplog.text
    assert server.asked == 1  # each call to a server that is down takes its time
    assert is_key(str(run.run_id))
    assert not server.runs("rock")

    server.is_away = False
    assert send_unsent(out) == (8, 0)
    (found,) = server.runs("rock")
    assert found.info.status == "FINISHED"
    assert (found.info.run_name, found.data.params, found.data.tags["torch"]) == ("out", {"seed": "0"}, "2")
    history = server.client.get_metric_history(found.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(1, 2.0), (2, 1.0)]
    assert server.files(found.info.run_id) == {"config.yaml", "images"}
    assert sorted(path.name for path in out.iterdir()) == ["checkpoints"]
    assert send_unsent(out) == (0, 0)
    # the folder of checkpoints still names it by its key
    link = read_training_link(model)
    assert link is not None
    assert is_key(link.run_id)
    assert Store(server.address).find(link.run_id).run_id == found.info.run_id


def test_a_resumed_training_goes_on_in_the_run_that_the_store_did_not_have(server, tmp_path, caplog):
    first = tracked(server, tmp_path / "out")
    first.start({})
    first.log_metrics({"loss": 2.0}, 1)
    state = first.state_dict()
    first.finish("KILLED")
    outbox_module._failed.clear()  # as in a process of its own
    outbox_module._warned.clear()
    caplog.clear()
    second = tracked(server, tmp_path / "out")
    second.load_state_dict(state)
    second.start({})  # still away
    assert caplog.text.count("did not accept start of the run") == 1
    second.finish("KILLED")
    server.is_away = False
    outbox_module._failed.clear()
    third = tracked(server, tmp_path / "out")
    third.load_state_dict(state)
    third.start({})
    third.log_metrics({"loss": 1.0}, 2)
    third.finish("FINISHED")
    (found,) = server.runs("rock")
    assert third.run_id == found.info.run_id
    assert found.info.status == "FINISHED"
    history = server.client.get_metric_history(found.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(1, 2.0), (2, 1.0)]
    assert not (tmp_path / "out" / FILE_NAME).exists()


def test_a_store_that_answers_again_during_the_work_gets_all_in_order(server, tmp_path, monkeypatch):
    monkeypatch.setattr(outbox_module, "_PAUSE", 0.0)
    run = tracked(server, tmp_path / "out")
    run.start({})
    run.log_metrics({"loss": 2.0}, 1)
    server.is_away = False
    run.log_metrics({"loss": 1.0}, 2)
    assert not unsent_messages(tmp_path / "out")
    (found,) = server.runs("rock")
    assert run.run_id == found.info.run_id
    assert [one.step for one in server.client.get_metric_history(found.info.run_id, "loss")] == [1, 2]


def test_a_start_whose_answer_was_lost_makes_no_second_run(server, tmp_path, monkeypatch):
    server.is_away = False
    create = mlflow.MlflowClient.create_run

    def lost(*arguments: object, **named: object) -> None:
        create(*arguments, **named)
        raise MlflowException("timed out")

    run = tracked(server, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, "create_run", lost)
        run.start({})
    assert unsent_messages(tmp_path / "out")
    send_unsent(tmp_path / "out")
    (found,) = server.runs("rock")
    assert found.data.params == {"seed": "0"}


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    folder = tmp_path / "evaluation"
    for name in ("per_image.csv", "per_pore.csv", "overlays/a.png", "truth/a.png"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text("x")
    summary = {"split": "val", "mean": {"dice": 0.8, "recall": None}, "pooled": {"dice": 0.9}}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def evaluate(server: Server, folder: Path, checkpoint: Path, address: str | None = None) -> None:
    log = EvaluationLog(address, "rock", None, {}, str(checkpoint))
    log.check({"split": "val"})
    log.send(folder)


@pytest.mark.parametrize("named", [True, False])
def test_an_evaluation_reaches_the_run_of_its_training(server, evaluation, tmp_path, named):
    server.is_away = False
    out = tmp_path / "first"
    training = tracked(server, out)
    training.start({})
    training.finish("KILLED")
    write_training_link(out / "checkpoints", training.tracking_uri, str(training.run_id))
    server.is_away = True
    evaluate(server, evaluation, out / "checkpoints" / "best.pt", server.address if named else None)
    assert unsent_messages(evaluation)
    server.is_away = False
    assert send_unsent(evaluation)[1] == 0
    (found,) = server.runs("rock")
    assert found.data.metrics == {"evaluation_mean_dice": 0.8, "evaluation_pooled_dice": 0.9}
    assert found.info.status == "KILLED"  # as the training left it
    assert server.files(found.info.run_id, "evaluation/overlays") == {"evaluation/overlays/a.png"}
    assert "evaluation/config.yaml" in server.files(found.info.run_id, "evaluation")


def test_an_evaluation_waits_for_its_training(server, evaluation, tmp_path):
    out = tmp_path / "first"
    training = tracked(server, out)
    training.start({})
    training.finish("FINISHED")
    write_training_link(out / "checkpoints", training.tracking_uri, str(training.run_id))
    evaluate(server, evaluation, out / "checkpoints" / "best.pt")
    server.is_away = False
    sent, left = send_unsent(evaluation)
    assert (sent, left > 0) == (0, True)
    assert send_unsent(out)[1] == send_unsent(evaluation)[1] == 0
    (found,) = server.runs("rock")
    assert found.data.metrics["evaluation_mean_dice"] == 0.8


def test_an_evaluation_of_an_unknown_training_gets_a_run_of_its_own(server, evaluation, tmp_path):
    evaluate(server, evaluation, tmp_path / "mine.pt", server.address)
    server.is_away = False
    assert send_unsent(tmp_path)[1] == 0  # also from the folder above
    (found,) = server.runs("rock")
    assert (found.data.tags["variant"], found.info.status) == ("mine", "FINISHED")


def test_an_experiment_and_its_trainings_reach_the_store_with_their_relation(server, tmp_path):
    out = tmp_path / "grid"
    plan = out / "plan.yaml"
    out.mkdir()
    plan.write_text("baseline: unet")
    experiment = open_mlflow(out, server.address, None, "unet", [plan])
    run = Run(out / "unet" / "fold13" / "seed3", "unet", 3, "13", "abc", {}, {}, parameters=1000)
    run.mlflow_run_id = experiment.start_child(run, {"torch": "2"})
    experiment.log_costs(run)
    run.state, run.error = "failed", "the loss became nan"
    experiment.end_child(run)
    experiment.finish("FAILED")
    server.is_away = False
    assert send_unsent(out)[1] == 0
    runs = {run.info.run_name: run for run in server.runs("grid")}
    parent, child = runs.pop("grid"), runs.pop("unet fold 13 seed 3")
    assert not runs
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["error"] == "the loss became nan"
    assert (child.info.status, parent.info.status) == ("FAILED", "FAILED")
    assert child.data.metrics["parameters"] == 1000.0
    assert server.files(parent.info.run_id) == {"plan.yaml"}
    # the next call goes on in them
    again = open_mlflow(out, None, None, "unet", [])
    assert again.parent_run_id == parent.info.run_id
    assert again.start_child(run, {}) == child.info.run_id
    assert len(server.runs("grid")) == 2


def test_no_password_reaches_files_and_logs(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv(ADDRESS_VARIABLE, "")
    monkeypatch.setattr(outbox_module, "_failed", {})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://ada:s3cret@127.0.0.1:{free.getsockname()[1]}"
    with caplog.at_level(logging.DEBUG, "vlsenet"):
        run = TrackedRun(address, "rock", None, str(tmp_path / "out"), {}, {})
        run.start({"config.yaml": {"tracking_uri": address}})
        write_training_link(tmp_path / "out" / "checkpoints", run.tracking_uri, str(run.run_id))
        run.finish("FAILED", error=f"MlflowException('{address}/api failed')")
        open_mlflow(tmp_path / "grid", address, None, "unet", [])
    kept = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(kept) >= 4
    assert "s3cret" not in "".join([*kept, caplog.text])
    # this process and those that it starts still reach the store that these files name
    assert full_address(read_mlflow(tmp_path / "grid").tracking_uri) == address
    assert [message["store"] for message in unsent_messages(tmp_path / "out")] == [kept_address(address)] * 4


def test_results_for_two_stores_are_sent_to_each_its_own(tmp_path, make_store, monkeypatch):
    monkeypatch.setattr(outbox_module, "_failed", {})
    addresses = [make_store(tmp_path / name) for name in ("a", "b")]
    for address in addresses:
        server = Server(address, monkeypatch)
        tracked(server, tmp_path / "out").start({})
    server.is_away = False
    monkeypatch.undo()
    outbox_module._failed.clear()
    assert send_unsent(tmp_path / "out", addresses[0]) == (1, 1)
    assert send_unsent(tmp_path / "out") == (1, 0)
    for address in addresses:
        assert len(Store(address).runs(["1"])) == 1


def test_a_store_that_is_away_or_locked_is_no_mistake_and_a_wrong_one_is(server):
    check_store(server.address)
    server.is_away = False
    with pytest.raises(UserError, match="no such run"):
        check_store(server.address, "0" * 32)
