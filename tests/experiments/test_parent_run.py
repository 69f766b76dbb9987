from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest

from pipeline.errors import UserError
from pipeline.experiments import Run
from pipeline.experiments.parent_run import FILE, MlflowExperiment, open_mlflow, read_mlflow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Path:
    folder = tmp_path_factory.mktemp("shared") / "rock"
    make_store(folder)
    return folder


@pytest.fixture
def experiment(folder: Path) -> MlflowExperiment:
    return open_mlflow(folder, None, None, "unet", [])


def make_run(folder: Path, **settings) -> Run:
    return Run(folder, "unet", 3, "13", "abc", {}, {}, **settings)


def test_a_child_is_made_once_and_goes_on_after_a_failure(experiment, folder):
    one = make_run(folder)
    one.mlflow_run_id = experiment.start_child(one, {"torch": "2"})
    made = mlflow.MlflowClient(experiment.tracking_uri).get_run(one.mlflow_run_id)
    expected = {"variant": "unet", "seed": "3", "fold": "13", "data_fingerprint": "abc", "torch": "2"}
    expected["mlflow.parentRunId"] = experiment.parent_run_id
    assert expected.items() <= made.data.tags.items()
    assert made.data.params == {"variant": "unet", "seed": "3", "fold": "13"}
    one.state, one.error = "failed", "the loss became nan"
    experiment.end_child(one)
    ended = mlflow.MlflowClient(experiment.tracking_uri).get_run(one.mlflow_run_id)
    assert (ended.info.status, ended.data.tags["error"]) == ("FAILED", "the loss became nan")
    one.error = ""
    assert experiment.start_child(one, {}) == one.mlflow_run_id
    again = mlflow.MlflowClient(experiment.tracking_uri).get_run(one.mlflow_run_id)
    assert again.info.status == "RUNNING"
    assert "error" not in again.data.tags


def test_costs_stand_beside_the_scores(experiment, folder):
    one = make_run(folder, parameters=1000, gflops=2.5, training_seconds=60.0)
    one.mlflow_run_id = experiment.start_child(one, {})
    experiment.log_costs(one)
    metrics = mlflow.MlflowClient(experiment.tracking_uri).get_run(one.mlflow_run_id).data.metrics
    assert metrics == {"parameters": 1000.0, "gflops": 2.5, "training_seconds": 60.0}


def test_the_parent_is_that_of_the_earlier_call(experiment, folder):
    experiment.finish("KILLED")
    assert open_mlflow(folder, None, None, "unet", []) == experiment == read_mlflow(folder)
    assert mlflow.MlflowClient(experiment.tracking_uri).get_run(experiment.parent_run_id).info.status == "RUNNING"
    with pytest.raises(UserError, match=r"--experiment_name other: .* was started with rock"):
        open_mlflow(folder, None, "other", "unet", [])


def test_a_damaged_file_is_told(tmp_path):
    (tmp_path / FILE).write_text("{}")
    with pytest.raises(UserError, match=r"experiment\.json can't be read"):
        read_mlflow(tmp_path)
