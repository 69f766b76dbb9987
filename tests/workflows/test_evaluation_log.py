from __future__ import annotations

import json
import logging

import mlflow
import pytest

from pipeline.errors import UserError
from pipeline.workflows import EvaluationLog


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def results(tmp_path):
    for name in ("per_image.csv", "per_pore.csv", "overlays/a.png", "truth/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    summary = {"split": "val", "mean": {"dice": 0.8, "recall": None}, "pooled": {"dice": 0.9}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    return tmp_path


def files(client: mlflow.MlflowClient, run_id: str, folder: str) -> set[str]:
    return {item.path for item in client.list_artifacts(run_id, folder)}


def test_results_go_to_the_run_of_the_training_or_to_a_new_one(store, results):
    client = mlflow.MlflowClient(store)
    training = client.create_run(client.create_experiment("rock"), tags={"variant": "unet", "seed": "3"}).info.run_id
    belongs = EvaluationLog(store, "elsewhere", training, {"variant": None, "seed": None, "fold": "13"})
    belongs.check({"split": "val"})
    belongs.send(results)
    run = client.get_run(training)
    assert run.data.metrics == {"evaluation_mean_dice": 0.8, "evaluation_pooled_dice": 0.9}
    assert {name: run.data.tags[name] for name in ("variant", "seed", "fold", "evaluated_split")} == {
        "variant": "unet",
        "seed": "3",
        "fold": "13",
        "evaluated_split": "val",
    }
    assert files(client, training, "evaluation/overlays") == {"evaluation/overlays/a.png"}
    assert {"evaluation/per_image.csv", "evaluation/summary.json", "evaluation/config.yaml"} < files(
        client, training, "evaluation"
    )
    assert client.get_experiment_by_name("elsewhere") is None

    EvaluationLog(store, "new", None, {"variant": "vlsenet"}).send(results)
    (made,) = client.search_runs([client.get_experiment_by_name("new").experiment_id])
    assert (made.info.status, made.data.tags["variant"]) == ("FINISHED", "vlsenet")


def test_a_store_or_run_out_of_reach_is_told_before_the_work_and_no_harm_after_it(store, results, caplog):
    with pytest.raises(UserError, match="--tracking_uri"):
        EvaluationLog(store, "rock", "0" * 32, {}).check({"split": "val"})
    with pytest.raises(UserError, match="give --tracking_uri too"):
        EvaluationLog(None, "rock", "0" * 32, {}).check({"split": "val"})
    with caplog.at_level(logging.WARNING, "vlsenet"):
        EvaluationLog(store, "rock", "0" * 32, {}).send(results)
    assert "did not take the evaluation" in caplog.text


def test_without_a_store_nothing_happens(tmp_path):
    log = EvaluationLog(None, "rock", None, {})
    log.check({"split": "val"})
    log.send(tmp_path)
    assert not list(tmp_path.iterdir())
