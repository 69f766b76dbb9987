from __future__ import annotations

import json
import logging

import mlflow
import pytest

from pipeline.errors import UserError
from pipeline.tracking.evaluations import EvaluationLog
from pipeline.tracking.training_link import FILE, TrainingLink, read_training_link, write_training_link


@pytest.fixture(scope="module")
def store(make_store, tmp_path_factory) -> str:
    return make_store(tmp_path_factory.mktemp("store"))


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
    experiment = client.create_experiment("rock", (results / "files").as_uri())
    training = client.create_run(experiment, tags={"variant": "unet", "seed": "3"}).info.run_id
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


def test_a_run_that_is_not_there_is_refused_before_the_work(store):
    with pytest.raises(UserError, match=r"--mlflow_run_id 0+: no such run"):
        EvaluationLog(store, "rock", "0" * 32, {}).check({"split": "val"})
    with pytest.raises(UserError, match="--tracking_uri is missing"):
        EvaluationLog(None, "rock", "0" * 32, {}).check({"split": "val"})


def test_without_a_store_nothing_happens(tmp_path):
    log = EvaluationLog(None, "rock", None, {})
    log.check({"split": "val"})
    log.send(tmp_path)
    assert not list(tmp_path.iterdir())


def training(store: str, folder, run_name: str = "first") -> tuple[mlflow.MlflowClient, str, str]:
    """A finished training: its client, its run, and a checkpoint that knows it."""
    client = mlflow.MlflowClient(store)
    found = client.get_experiment_by_name("trainings")
    experiment = found.experiment_id if found else client.create_experiment("trainings", (folder / "files").as_uri())
    run_id = str(client.create_run(experiment, run_name=run_name).info.run_id)
    client.log_param(run_id, "seed", "3")
    client.set_terminated(run_id, "FINISHED")
    write_training_link(folder / run_name / "checkpoints", store, run_id)
    return client, run_id, str(folder / run_name / "checkpoints" / "best.pt")


def told(results, **about: str) -> None:
    path = results / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **about}))


def test_the_run_of_the_training_is_found_from_its_checkpoint(store, results, caplog):
    client, run_id, checkpoint = training(store, results)
    log = EvaluationLog(None, "elsewhere", None, {"variant": None}, checkpoint)
    log.check({})
    with caplog.at_level(logging.INFO, "vlsenet"):
        log.send(results)
    assert client.get_run(run_id).data.metrics["evaluation_mean_dice"] == 0.8
    assert client.get_run(run_id).info.status == "FINISHED"
    assert "the MLflow run first (variant first)" in caplog.text
    # also where the store is named, and again in place of the first
    again = EvaluationLog(store, "elsewhere", None, {"variant": "mine"}, checkpoint)
    again.check({})
    again.send(results)
    assert client.get_run(run_id).data.tags["variant"] == "mine"
    assert client.get_experiment_by_name("elsewhere") is None


def test_an_evaluation_of_other_images_leaves_the_first_alone(store, results):
    client, run_id, checkpoint = training(store, results, "second")
    for data, dice in (("val", 0.8), ("test", 0.6), ("test", 0.5)):
        told(results, split=data, mean={"dice": dice}, data_fingerprint="abc")
        log = EvaluationLog(None, "elsewhere", None, {}, checkpoint)
        log.check({})
        log.send(results)
    assert client.get_run(run_id).data.metrics["evaluation_mean_dice"] == 0.8
    (own,) = client.search_runs(
        [client.get_experiment_by_name("trainings").experiment_id], f"tags.training = '{run_id}'"
    )
    assert own.data.metrics["evaluation_mean_dice"] == 0.5
    assert {name: own.data.tags[name] for name in ("variant", "seed", "evaluated_split")} == {
        "variant": "second",
        "seed": "3",
        "evaluated_split": "test",
    }
    assert own.info.status == "FINISHED"


@pytest.mark.parametrize("how", ["deleted", "running", "gone", "damaged", "last.pt", "none"])
def test_what_nobody_asked_for_fails_nothing(store, results, tmp_path, how):
    client, run_id, _ = training(store, tmp_path / "runs", how)
    link = tmp_path / "runs" / how / "checkpoints" / FILE
    if how == "deleted":
        client.delete_run(run_id)
    elif how == "running":
        client.update_run(run_id, status="RUNNING")
    elif how == "gone":
        link.write_text(json.dumps({"tracking_uri": f"sqlite:///{tmp_path}/gone.db", "run_id": run_id}))
    elif how == "damaged":
        link.write_text("{")
    name = how if how == "last.pt" else "best.pt"
    log = EvaluationLog("none" if how == "none" else None, "elsewhere", None, {}, str(link.with_name(name)))
    log.check({})
    log.send(results)
    assert not client.get_run(run_id).data.metrics
    assert not (tmp_path / "gone.db").exists()


def test_a_folder_of_a_training_may_be_moved(tmp_path):
    checkpoint = tmp_path / "there" / "checkpoints" / "best.pt"
    there = f"sqlite:///{tmp_path}/there/mlflow.db"
    write_training_link(checkpoint.parent, there, "1f")
    assert read_training_link(checkpoint) is None  # no store there
    (tmp_path / "there" / "mlflow.db").touch()
    (tmp_path / "there").rename(tmp_path / "here")
    link = read_training_link(tmp_path / "here" / "checkpoints" / "best.pt")
    assert link == TrainingLink(f"sqlite:///{tmp_path}/here/mlflow.db", "1f")


@pytest.mark.parametrize(
    ("checkpoint", "variant"),
    [("runs/unet/checkpoints/best.pt", "unet"), ("runs/unet/checkpoints/last.pt", "unet last"), ("a/mine.pt", "mine")],
)
def test_a_checkpoint_of_an_unknown_training_gives_the_variant_its_name(store, results, checkpoint, variant):
    log = EvaluationLog(store, f"of {variant}", None, {"variant": None}, checkpoint)
    log.check({})
    log.send(results)
    client = mlflow.MlflowClient(store)
    (made,) = client.search_runs([client.get_experiment_by_name(f"of {variant}").experiment_id])
    assert made.data.tags["variant"] == variant
