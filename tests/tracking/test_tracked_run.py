from __future__ import annotations

import getpass
import logging

import mlflow
import numpy as np
import pytest
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from pipeline.errors import UserError
from pipeline.tracking.outbox import unsent_messages
from pipeline.tracking.tracked_run import TrackedRun


def make(folder, **changes) -> TrackedRun:
    arguments = {
        "tracking_uri": None,
        "experiment_name": "rock",
        "run_name": None,
        "output_dir": str(folder),
        "parameters": {"network": {"preset": "small", "depth": {"levels": 4}}, "seed": 0},
        "tags": {"torch": "2.0"},
    }
    return TrackedRun(**{**arguments, **changes})


def only_run(folder):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("rock").experiment_id])
    return client, run


def test_parameters_files_and_pictures_reach_the_store(tmp_path):
    run = make(tmp_path / "out")
    run.start({"config.yaml": {"seed": 0}, "data.json": {"hash": "abc"}})
    run.log_picture(np.zeros((4, 5, 3), np.uint8), "val", 3)
    run.finish("FINISHED")
    client, found = only_run(tmp_path / "out")
    assert found.info.run_name == "out"
    assert found.info.status == "FINISHED"
    assert found.data.params == {"network.preset": "small", "network.depth.levels": "4", "seed": "0"}
    assert found.data.tags["torch"] == "2.0"
    assert found.data.tags["mlflow.source.name"] == "vlsenet"
    assert found.data.tags["mlflow.user"] == getpass.getuser()
    assert {item.path for item in client.list_artifacts(found.info.run_id)} == {"config.yaml", "data.json", "images"}


def test_a_resumed_run_goes_on_and_a_new_one_does_not(tmp_path):
    first = make(tmp_path)
    first.start({})
    first.finish("KILLED")
    resumed = make(tmp_path)
    resumed.load_state_dict(first.state_dict())
    resumed.start({})
    assert resumed.run_id == first.run_id
    resumed.finish("FAILED", error="boom")
    _, found = only_run(tmp_path)
    assert found.info.status == "FAILED"
    assert found.data.tags["error"] == "boom"
    other = make(tmp_path)
    other.start({})
    assert other.run_id != first.run_id


def test_a_store_that_lost_the_run_begins_a_new_one(tmp_path, caplog):
    first = make(tmp_path / "a")
    first.start({})
    moved = make(tmp_path / "b")
    moved.load_state_dict(first.state_dict())
    with caplog.at_level(logging.WARNING, "vlsenet"):
        moved.start({})
    assert moved.run_id != first.run_id
    assert "starting a new run" in caplog.text


def test_the_named_store_wins_over_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    run = make(tmp_path / "out", tracking_uri=f"sqlite:///{tmp_path}/mine.db")
    run.start({})
    assert (tmp_path / "mine.db").exists()
    assert not (tmp_path / "other.db").exists()


def test_what_can_not_be_right_is_refused_at_the_start(tmp_path, make_store):
    (tmp_path / "notes.txt").write_text("no database" * 100)
    with pytest.raises(UserError, match=r"--tracking_uri sqlite:.*file is not a database"):
        make(tmp_path, tracking_uri=f"sqlite:///{tmp_path}/notes.txt").start({})
    with pytest.raises(UserError, match=r"--mlflow_run_id 0+: no such run in --tracking_uri sqlite"):
        make(tmp_path, tracking_uri=make_store(tmp_path / "store"), run_id="0" * 32).start({})
    assert not unsent_messages(tmp_path)


def test_a_store_that_goes_away_costs_no_training(tmp_path, caplog):
    run = make(tmp_path)
    run.start({})
    _, found = only_run(tmp_path)
    mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").delete_run(found.info.run_id)
    with caplog.at_level(logging.WARNING, "vlsenet"):
        run.log_picture(np.zeros((4, 5, 3), np.uint8), "val", 1)
        run.finish("FINISHED")
    assert "did not accept" in caplog.text


def test_a_name_that_mlflow_refuses_is_made_fit(tmp_path):
    run = make(tmp_path)
    run.start({})
    run.log_picture(np.zeros((4, 5, 3), np.uint8), "validation_probe (1) µ", 1)
    client, found = only_run(tmp_path)
    assert [item.path for item in client.list_artifacts(found.info.run_id)] == ["images"]


def test_the_artifacts_of_a_shared_store_lie_beside_it(tmp_path):
    run = make(tmp_path / "first", tracking_uri=f"sqlite:///{tmp_path}/all.db")
    run.start({"data.json": {}})
    assert (tmp_path / "mlflow_artifacts").is_dir()
    assert not (tmp_path / "first" / "mlflow_artifacts").exists()


def test_a_store_that_fails_at_the_start_leaves_no_run_running(tmp_path, monkeypatch):
    def refuse(self, run_id, text, name):
        raise mlflow.MlflowException("no access to artifacts", PERMISSION_DENIED)

    monkeypatch.setattr(mlflow.MlflowClient, "log_text", refuse)
    with pytest.raises(UserError, match=r"refuses \(no access to artifacts"):
        make(tmp_path).start({"config.yaml": {}})
    _, found = only_run(tmp_path)
    assert found.info.status == "FAILED"


def test_a_run_that_was_made_before_takes_the_training_and_wins_over_the_checkpoints(tmp_path):
    store = f"sqlite:///{tmp_path}/mlflow.db"
    client = mlflow.MlflowClient(store)
    made = client.create_run(client.create_experiment("rock"), tags={"fold": "13"}).info.run_id
    client.log_param(made, "variant", "unet")
    client.log_param(made, "seed", "0")
    for _ in range(2):  # also when it is resumed
        run = make(tmp_path, run_id=made)
        run.load_state_dict({"run_id": "0" * 32})
        run.start({})
        run.finish("FINISHED")
    _, found = only_run(tmp_path)
    assert found.info.run_id == made
    assert found.data.params == {"network.preset": "small", "network.depth.levels": "4", "seed": "0", "variant": "unet"}
    assert found.data.tags["fold"] == "13"
