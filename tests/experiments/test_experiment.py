from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import mlflow
import pandas as pd
import pytest
import yaml

from pipeline.cluster import Pool
from pipeline.errors import UserError
from pipeline.experiments import Plan, Run, experiment, report_experiment, run_experiment
from pipeline.experiments import training_task as worker
from pipeline.experiments.parent_run import read_mlflow
from pipeline.experiments.plan import FoldPlan
from pipeline.synthetic import write_dataset

#: stands for a training; leaves no evaluation in MLflow
WORKER = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--folder") + 1])
record = json.loads((folder / "run.json").read_text())
assert pathlib.Path(sys.argv[sys.argv.index("--experiment") + 1], "experiment.json").exists()
if record["variant"] == "dies":
    sys.exit(3)
if record["variant"] == "stopped":
    (folder / "run.json").write_text(json.dumps(record | {"state": "interrupted"}))
    sys.exit(130)
summary = {"pooled": dict.fromkeys(("dice", "dice_at_half", "cl_dice"), 0.5), "threshold": 0.5}
summary["mean"] = dict.fromkeys(("dice", "porosity_error"), 0.5)
(folder / "evaluation").mkdir()
(folder / "evaluation" / "summary.json").write_text(json.dumps(summary))
(folder / "run.json").write_text(json.dumps(record | {"state": "finished"}))
"""


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "rock", 4, shape=(64, 64), seed=0, val=1, test=0)
    return tmp_path / "rock"


def plan(rock: Path, *variants: str) -> Plan:
    folds = FoldPlan("k", 2)
    return Plan({name: {} for name in variants}, variants[0], (0,), folds, {"dataset_dir": str(rock)})


@pytest.fixture
def _fake_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "COMMAND", (sys.executable, "-c", WORKER))
    monkeypatch.setattr(experiment, "check_runs", lambda runs: None)


@pytest.mark.usefixtures("_fake_training")
def test_a_failed_run_is_recorded_and_the_rest_is_done_once(tmp_path, rock, make_store, caplog):
    out = tmp_path / "out"
    make_store(out)
    asked = plan(rock, "a", "dies")
    outcome = run_experiment(asked, out)
    assert outcome.failed == ["dies fold 1 seed 0", "dies fold 2 seed 0"]
    assert outcome.report is None  # there is nothing to compare
    assert "none of the" in caplog.text
    assert yaml.safe_load((out / "plan.yaml").read_text())["folds"]["k"] == 2
    runs = pd.read_csv(out / "runs.csv").set_index(["variant", "fold"])
    assert list(runs.loc["a", "state"]) == ["finished", "finished"]
    assert "status 3" in runs.loc[("dies", 2), "error"]

    store = read_mlflow(out)
    client = mlflow.MlflowClient(store.tracking_uri)
    parent = client.get_run(store.parent_run_id)
    assert (parent.info.status, parent.data.tags["baseline"]) == ("FAILED", "a")
    assert {item.path for item in client.list_artifacts(parent.info.run_id)} >= {"plan.yaml", "folds.json"}
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert [child.info.status for child in children] == ["FAILED", "FAILED"]
    assert {(child.data.tags["variant"], child.data.tags["fold"], child.data.tags["seed"]) for child in children} == {
        ("dies", "1", "0"),
        ("dies", "2", "0"),
    }
    assert all("status 3" in child.data.tags["error"] for child in children)

    with caplog.at_level(logging.INFO, "vlsenet"):
        run_experiment(asked, out)
    assert "0 of 4 runs to do" in caplog.text
    assert read_mlflow(out) == store
    with pytest.raises(UserError, match="other folds"):
        run_experiment(Plan(asked.variants, "a", (0,), FoldPlan("k", 3), asked.common), out)
    with pytest.raises(UserError, match="was started with sqlite"):
        run_experiment(asked, out, tracking_uri="http://localhost:1")
    label = next((rock / "labels").iterdir())
    label.write_bytes((rock / "labels" / sorted(p.name for p in (rock / "labels").iterdir())[-1]).read_bytes())
    with pytest.raises(UserError, match="other images or labels"):
        run_experiment(asked, out)


@pytest.mark.usefixtures("_fake_training")
def test_an_interrupt_ends_the_parent_run_as_killed(tmp_path, rock, make_store, monkeypatch):
    def interrupt(runner: object) -> None:
        raise KeyboardInterrupt

    make_store(tmp_path / "out")
    monkeypatch.setattr(experiment.Runner, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(plan(rock, "a"), tmp_path / "out")
    store = read_mlflow(tmp_path / "out")
    assert mlflow.MlflowClient(store.tracking_uri).get_run(store.parent_run_id).info.status == "KILLED"


@pytest.mark.usefixtures("_fake_training")
def test_an_experiment_with_a_stopped_run_is_not_finished(tmp_path, rock, make_store):
    make_store(tmp_path / "out")
    outcome = run_experiment(plan(rock, "stopped", "a"), tmp_path / "out")
    assert (outcome.failed, outcome.unfinished) == ([], ["stopped fold 1 seed 0", "stopped fold 2 seed 0"])
    store = read_mlflow(tmp_path / "out")
    assert mlflow.MlflowClient(store.tracking_uri).get_run(store.parent_run_id).info.status == "KILLED"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"only": ["b"]}, "unknown variant b; choose from a"),
        ({"threads": 0}, "--threads 0"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(tmp_path, rock, change, told):
    with pytest.raises(UserError, match=told):
        run_experiment(plan(rock, "a"), tmp_path / "out", **change)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--output_dir .*file is a file"):
        run_experiment(plan(rock, "a"), tmp_path / "file" / "out")
    with pytest.raises(UserError, match="--dataset_dir is missing"):
        run_experiment(Plan({"a": {}}, "a"), tmp_path / "out")
    with pytest.raises(UserError, match="holds no experiment"):
        report_experiment(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_variants_on_two_folds_end_in_a_report(tmp_path: Path, rock: Path, make_short: Callable[[Plan], Plan]):
    variants = {"small": {"network": "unet"}, "none": {"text_source": "none", "switches::context": False}}
    asked = make_short(Plan(variants, "small", (0,), FoldPlan("k", 2), {"dataset_dir": str(rock)}))
    out = tmp_path / "out"
    outcome = run_experiment(asked, out, pool=Pool(workers=2))
    assert outcome.failed == []
    assert "small" in outcome.markdown
    assert outcome.report.is_file()

    store = read_mlflow(out)
    client = mlflow.MlflowClient(store.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("out").experiment_id])
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == store.parent_run_id]
    assert len(runs) == 5
    divisions = json.loads((out / "folds.json").read_text())["divisions"]
    folds = {part["name"]: part["data_fingerprint"] for part in divisions}
    costs = {"gflops", "parameters", "training_seconds", "peak_memory_bytes"}
    for child in children:
        tags, metrics = child.data.tags, child.data.metrics
        # what the experiment says of the data is what the training found
        data = mlflow.artifacts.load_dict(f"{child.info.artifact_uri}/data.json")
        assert tags["data_fingerprint"] == data["hash"] == folds[tags["fold"]]
        assert {*costs, "evaluation_mean_dice"} <= metrics.keys()
        assert child.info.status == "FINISHED"
        assert {item.path for item in client.list_artifacts(child.info.run_id, "evaluation")} >= {
            "evaluation/per_image.csv",
            "evaluation/config.yaml",
        }
        tested = {file["name"] for file in data["files"] if file["split"] == "test"}
        folder = out / tags["variant"] / f"fold{tags['fold']}" / "seed0"
        assert set(pd.read_csv(folder / "evaluation" / "per_image.csv")["name"]) == tested
        assert Run.read(folder).mlflow_run_id == child.info.run_id
    logged = {item.path for item in client.list_artifacts(store.parent_run_id, "comparison")}
    assert "comparison/report.html" in logged


@pytest.mark.slow
def test_an_interrupted_training_goes_on_in_its_own_run_and_a_bad_variant_is_recorded(tmp_path: Path, rock: Path):
    plan_file = tmp_path / "plan.yaml"
    plan_file.write_text(
        "variants: {small: {network: unet}, bad: {network: unet, switches: {context: false}}}\n"
        "common: {max_epochs: 3, val_interval: 1, steps_per_epoch: 1, batch_size: 2, patch_size: 64}\n"
        "evaluation: {mirror: false}"
    )
    command = [sys.executable, "-m", "pipeline.cli", "experiment", str(plan_file)]
    command += ["--dataset_dir", str(rock), "--output_dir", "out"]
    first = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    last = tmp_path / "out" / "small" / "seed0" / "checkpoints" / "last.pt"
    deadline = time.monotonic() + 400
    while not last.exists() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    told = first.communicate(timeout=100)[1]
    assert first.returncode == 130, told
    assert "run the same command again to resume" in told

    second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert second.returncode == 1, second.stderr  # `bad` can't be trained
    assert "failed: bad seed 0" in second.stdout
    store = read_mlflow(tmp_path / "out")
    client = mlflow.MlflowClient(store.tracking_uri)
    runs = client.search_runs([client.get_experiment_by_name("out").experiment_id])
    found = {run.info.run_name: run for run in runs}
    assert {name: run.info.status for name, run in found.items()} == {
        "out": "FAILED",
        "small seed 0": "FINISHED",
        "bad seed 0": "FAILED",
    }
    assert "the U-Net has no parts to switch" in found["bad seed 0"].data.tags["error"]
    # each epoch once, in the one run
    history = client.get_metric_history(found["small seed 0"].info.run_id, "val_dice")
    assert sorted(value.step for value in history) == [1, 2, 3]

    third = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert third.returncode == 1
    assert "0 of 2 runs to do" in third.stderr
