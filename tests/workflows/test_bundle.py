"""The real bundle commands, as a user types them: train, interrupt, resume, evaluate, segment.

Most run in the process of the tests (`commands.bundle`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import pipeline as vlsenet
from pipeline.errors import UserError
from pipeline.metrics import PoreCounts
from pipeline.synthetic import write_dataset
from pipeline.workflows.bundle_workflow import run_config
from pipeline.workflows.model_file import load_model
from tests.images.microscope.bars import one_line
from tests.paths import CONFIGS
from tests.workflows.commands import bundle, ended, started, words

NARROW = {"features": [8, 8, 16, 16, 32]}
QUICK = {
    "steps_per_epoch": 2,
    "batch_size": 2,
    "patch_size": 64,
    "text_source": "random",
    "val_interval": 1,
    "picture_interval": 2,
    **NARROW,
}


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A folder with a small data set, from which every command is started by relative paths."""
    folder = tmp_path_factory.mktemp("work")
    write_dataset(folder / "rock", 5, shape=(96, 112), seed=3, val=2, test=0, text=True)
    return folder


@pytest.fixture(scope="module")
def trained(work) -> Path:
    bundle(work, "train", dataset_dir="rock", output_dir="run", max_epochs=2, **QUICK)
    return work / "run"


def run_of(training: Path) -> tuple[mlflow.MlflowClient, mlflow.entities.Run]:
    """The run of a training, in the store of the folder around it."""
    client = mlflow.MlflowClient(f"sqlite:///{training.parent}/mlflow.db")
    experiment = client.get_experiment_by_name("vlsenet")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    (run,) = client.search_runs([experiment.experiment_id], f"tags.mlflow.runName = '{training.name}'")
    return client, run


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["network"]


def test_training_leaves_checkpoints_pictures_and_a_run(trained):
    names = {path.relative_to(trained).as_posix() for path in trained.rglob("*") if path.is_file()}
    assert {"checkpoints/best.pt", "checkpoints/last.pt", "training_log.csv", "training_curves.png"} <= names
    assert "mlflow.db" not in names
    log = pd.read_csv(trained / "training_log.csv")
    assert list(log["epoch"]) == [1, 2]
    assert log[["train_loss", "learning_rate", "val_dice", "val_porosity_error"]].notna().all(axis=None)
    assert sum(name.startswith("pictures/epoch_0001") for name in names) == 2
    best = torch.load(trained / "checkpoints" / "best.pt", weights_only=True)
    assert not any("clip" in key or "transformer" in key for key in best["network"])


def test_a_training_keeps_what_it_found_on_other_micrographs(work, trained):
    model = load_model(str(trained / "checkpoints" / "best.pt"))
    assert model.familiarity is None  # three windows describe nothing
    held_out = model.data["held_out"]["pore"]
    truth = pd.read_csv(work / "rock" / "truth.csv").set_index("name")["porosity"]
    split = pd.read_csv(work / "rock" / "split.csv").set_index("name")["split"]
    assert {image["source"] for image in held_out} == set(split[split == "val"].index)
    for image in held_out:
        assert image["true"] == pytest.approx(truth[image["source"]])
        assert image["pixels"] == 96 * 112
    assert model.error_of("pore").sources == 2


def test_mlflow_tells_what_was_done(trained):
    client, run = run_of(trained)
    assert run.info.status == "FINISHED"
    parts = {one.tags[0].value: json.loads(one.dataset.profile) for one in run.inputs.dataset_inputs}
    assert {part: one["images"] for part, one in parts.items()} == {"train": 3, "val": 2}
    assert {one.dataset.name for one in run.inputs.dataset_inputs} == {"rock"}
    assert run.data.params["network.network"] == "vlsenet"
    assert run.data.params["text.source"] == "random"
    for name in (
        "train_loss",
        "learning_rate",
        "val_dice",
        "val_iou",
        "val_precision",
        "val_recall",
        "val_porosity_error",
        "system/cpu_utilization_percentage",
        "system/system_memory_usage_percentage",
    ):
        history = client.get_metric_history(run.info.run_id, name)
        assert [value.step for value in history] == [1, 2], name
    assert all(0 <= value <= 100 for name, value in run.data.metrics.items() if "percentage" in name)
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "data.json", "images"} <= files


def test_mlflow_loads_the_model_and_says_what_the_package_says(work, trained):
    client, run = run_of(trained)
    image = np.asarray(Image.open(next((work / "rock" / "images").iterdir())))
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        loaded = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    finally:
        mlflow.set_tracking_uri(before)
    found = loaded.predict(image[None].astype(np.float32), params={"pixel_size_nm": 7.5})
    expected = vlsenet.load(trained).predict(image, pixel_size_nm=7.5)
    assert found["probability"].tobytes() == expected.probability.tobytes()
    assert found["mask"].tobytes() == expected.mask.astype(np.uint8).tobytes()
    assert found["mask"].shape == (1, 96, 112)
    example = loaded.predict(loaded.input_example)
    assert example["probability"].shape == (1, 1, 32, 32)


def test_more_epochs_go_on_in_the_same_run(work, trained):
    bundle(work, "train", dataset_dir="rock", output_dir="run", max_epochs=3, resume=True, **QUICK)
    client, run = run_of(trained)
    assert run.info.status == "FINISHED"
    assert list(pd.read_csv(trained / "training_log.csv")["epoch"]) == [1, 2, 3]
    assert [value.step for value in client.get_metric_history(run.info.run_id, "val_dice")] == [1, 2, 3]


@pytest.mark.slow  # that networks compile to one graph is tested of each
def test_a_compiled_training_is_the_same(work, trained):
    behind = work / "quick.yaml"  # PyTorch's code generator takes minutes, on one core
    behind.write_text("train::trainer::compile_kwargs: {mode: '@compile', backend: eager}")
    bundle(work, "train", behind, dataset_dir="rock", output_dir="compiled", max_epochs=1, compile="default", **QUICK)
    losses = []
    for folder in (trained, work / "compiled"):
        client, run = run_of(folder)
        losses.append(client.get_metric_history(run.info.run_id, "train_loss")[0].value)
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert weights(work / "compiled/checkpoints/best.pt").keys() == weights(trained / "checkpoints/best.pt").keys()


def test_a_compiler_that_fails_is_told_in_one_line(work):
    behind = work / "failing.yaml"
    behind.write_text("train::trainer::compile_kwargs: {mode: '@compile', backend: '$lambda graph, inputs: 1 / 0'}")
    options = {"dataset_dir": "rock", "output_dir": "no", "max_epochs": 1, "compile": "default", "network": "unet"}
    done = bundle(work, "train", behind, status=1, **options, **QUICK)
    last = done.strip().splitlines()[-1]
    assert last.startswith("error: torch.compile failed (")
    assert "Traceback" not in done


def test_an_interrupted_training_goes_on_to_the_same_weights(work):
    options = {"dataset_dir": "rock", "max_epochs": 4, **QUICK}  # enough for the signal to come in time
    bundle(work, "train", output_dir="whole", **options)
    process = started(work, words("train", output_dir="stopped", **options), work / "told.txt")
    last = work / "stopped" / "checkpoints" / "last.pt"
    deadline = time.monotonic() + 300
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    status, told = ended(process), (work / "told.txt").read_text()
    assert status == 130, told[-3000:]
    assert "--resume" in told
    assert "exception" not in told
    assert run_of(work / "stopped")[1].info.status == "KILLED"

    # random numbers follow from seed and epoch: a loader process draws the same
    bundle(work, "train", output_dir="stopped", resume=True, num_workers=1, **options)
    assert run_of(work / "stopped")[1].info.status == "FINISHED"
    whole, resumed = weights(work / "whole/checkpoints/last.pt"), weights(last)
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0, msg=name)


def test_a_training_that_stopped_early_is_over(work):
    options = {"dataset_dir": "rock", "output_dir": "early", "learning_rate": 1e-12, "max_epochs": 9, **QUICK}
    bundle(work, "train", early_stop_patience=1, **options)
    last = work / "early" / "checkpoints" / "last.pt"
    epoch = torch.load(last, weights_only=True)["training"]["epoch"]
    assert epoch < 9
    refused = bundle(work, "train", status=1, early_stop_patience=1, resume=True, **options)
    assert f"already stopped early after epoch {epoch}" in refused.splitlines()[-1]
    assert torch.load(last, weights_only=True)["training"]["epoch"] == epoch


def test_info_bars_change_nothing(work, trained):
    """Training, scores and masks are those of the images without the bar, which holds no pore."""
    strip = one_line(40, 112, 0, 255)
    shutil.copytree(work / "rock", work / "barred")
    for file in (work / "barred" / "images").iterdir():
        Image.fromarray(np.vstack([np.asarray(Image.open(file)), strip])).save(file)
    bundle(work, "train", dataset_dir="barred", output_dir="on_barred", max_epochs=1, **QUICK)
    bundle(work, "train", dataset_dir="rock", output_dir="on_rock", max_epochs=1, **QUICK)
    other = weights(work / "on_barred" / "checkpoints" / "last.pt")
    for name, value in weights(work / "on_rock" / "checkpoints" / "last.pt").items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0, msg=name)
    tables = {}
    for kind in ("rock", "barred"):
        given = {"checkpoint": "run/checkpoints/best.pt"}
        bundle(work, "evaluate", dataset_dir=kind, output_dir=f"{kind}_scores", split="val", **given)
        bundle(work, "inference", input=f"{kind}/images", output_dir=f"{kind}_masks", **given)
        tables[kind] = [pd.read_csv(work / f"{kind}_scores" / "per_image.csv")]
        tables[kind].append(pd.read_csv(work / f"{kind}_masks" / "porosity.csv").drop(columns="file"))
    for one, two in zip(*tables.values(), strict=True):
        pd.testing.assert_frame_equal(one, two)
    for file in (work / "rock_masks" / "masks").iterdir():
        mask = np.asarray(Image.open(work / "barred_masks" / "masks" / file.name))
        np.testing.assert_array_equal(mask[:-40], np.asarray(Image.open(file)))
        assert mask.shape == (136, 112)
        assert not mask[-40:].any()


def test_a_training_starts_from_another_model(work, trained):
    """With steps of next to no size, the model stays the one that it started from."""
    write_dataset(work / "other", 4, shape=(96, 112), seed=9, val=1, test=0)
    options = {"dataset_dir": "other", "output_dir": "adapted", "max_epochs": 1, "learning_rate": 1e-12, **QUICK}
    origin = trained / "checkpoints" / "best.pt"
    done = bundle(work, "train", start_from=origin, **options)
    assert re.search(r"epoch 1/1 .*val_dice 0\.\d{4}  val_porosity_error 0\.\d{4} \(best so far\)", done)
    assert "the model takes along 0.50" in done
    before = torch.load(origin, weights_only=True)
    after = torch.load(work / "adapted" / "checkpoints" / "best.pt", weights_only=True)
    for name, value in before["network"].items():
        torch.testing.assert_close(after["network"][name], value, rtol=0, atol=1e-6, msg=name)
    known = after["data"]["train_images"]
    assert set(before["data"]["train_images"]) < set(known)
    assert len(known) == len(set(known)) == 3 + 3
    assert after["data"]["start_from"] == hashlib.sha256(origin.read_bytes()).hexdigest()
    refused = bundle(work, "train", status=1, resume=True, **{**options, "max_epochs": 2})
    assert "start_from was" in refused
    refused = bundle(work, "train", status=1, overwrite=True, start_from=origin, **options, norm="batch")
    assert "give --norm instance" in refused


def test_evaluation_agrees_with_the_masks_of_inference(work, trained):
    checkpoint = "run/checkpoints/best.pt"
    bundle(work, "evaluate", dataset_dir="rock", output_dir="scores", checkpoint=checkpoint, split="val")
    bundle(work, "inference", input="rock/images", output_dir="masks", checkpoint=checkpoint)
    table = pd.read_csv(work / "scores" / "per_image.csv")
    summary = json.loads((work / "scores" / "summary.json").read_text())
    porosity = pd.read_csv(work / "masks" / "porosity.csv").set_index("name")
    assert len(porosity) == 5
    assert len(table) == 2
    total = PoreCounts()
    for row in table.itertuples():
        truth = np.asarray(Image.open(work / "rock" / "labels" / f"{row.name}.png")) > 0
        mask = np.asarray(Image.open(work / "masks" / "masks" / f"{row.name}.png"))
        assert mask.shape == truth.shape
        assert set(np.unique(mask)) <= {0, 255}
        assert row.porosity_true == pytest.approx(truth.mean(), abs=1e-6)
        assert porosity.loc[row.name, "porosity"] == pytest.approx((mask > 0).mean(), abs=1e-6)
        counts = PoreCounts.of(torch.from_numpy(mask > 0), torch.from_numpy(truth))
        assert row.dice == pytest.approx(counts.dice, abs=1e-6)
        total += counts
        for folder in ("scores/overlays", "masks/overlays"):
            assert (work / folder / f"{row.name}.png").exists()
    assert summary["images"] == 2
    assert summary["mean"]["dice"] == pytest.approx(table["dice"].mean(), abs=1e-6)
    assert summary["pooled"]["dice"] == pytest.approx(total.dice)
    assert summary["pixels"] == total.pixels


def test_a_training_without_prompts_or_vlsenet_can_be_evaluated_too(work):
    options = {"network": "unet", "max_epochs": 1, "steps_per_epoch": 1, "patch_size": 64}
    bundle(work, "train", dataset_dir="rock", output_dir="2024_11", **options)
    checkpoint = "2024_11/checkpoints/last.pt"
    done = bundle(work, "evaluate", dataset_dir="rock", output_dir="2024_11", checkpoint=checkpoint, split="all")
    assert "in the model's training data" in done
    assert len(pd.read_csv(work / "2024_11" / "per_image.csv")) == 5


def test_a_mistake_is_one_line_and_nothing_is_written(work):
    told = bundle(work, "train", status=1, dataset_dir="rock", output_dir="new", max_epoch=3)
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    assert errors == ["error: unknown option --max_epoch; did you mean --max_epochs?"]
    assert "Traceback" not in told
    assert not (work / "new").exists()


@pytest.mark.parametrize(
    ("config", "options", "told"),
    [
        ("train", {"dataset_dir": "rok", "output_dir": "new"}, "--dataset_dir rok: no such file or folder"),
        ("train", {"dataset_dir": "rock"}, "--output_dir is missing"),
        ("train", {"dataset_dir": "rock", "output_dir": "run"}, "--resume resumes from it"),
        ("train", {"dataset_dir": "rock", "output_dir": "run", "resume": True, "seed": 7}, "seed was 0, now 7"),
        (
            "train",
            {"dataset_dir": "rock", "output_dir": "run", "resume": True, "max_epochs": 2},
            "already has its",
        ),
        (
            "train",
            {"dataset_dir": "rock", "output_dir": "run", "resume": True, "loss::bce_weight": 0.5},
            "loss::bce_weight was 1.0, now 0.5",
        ),
        ("evaluate", {"dataset_dir": "rock", "output_dir": "new", "checkpoint": "rock/split.csv"}, "checkpoint"),
        ("inference", {"input": "rock", "output_dir": "new", "checkpoint": "run/checkpoints/best.pt"}, "rock/images?"),
    ],
)
def test_other_mistakes(work, trained, monkeypatch, config, options, told):
    monkeypatch.chdir(work)
    if options.get("resume"):  # as the training was, but for what is wrong
        options = {**QUICK, "max_epochs": 9, **options}
    with pytest.raises(Exception) as caught:  # noqa: PT011 - MONAI wraps it
        run_config(config, logging_file=False, **options)
    cause = caught.value
    while not isinstance(cause, UserError):
        cause = cause.__cause__
    assert told in str(cause)
    assert not (work / "new").exists()


def test_a_finished_inference_has_nothing_left_to_do(work, trained):
    options = {
        "input": "rock/images",
        "output_dir": "twice",
        "checkpoint": "run/checkpoints/best.pt",
    }
    bundle(work, "inference", **options)
    before = (work / "twice" / "porosity.csv").stat().st_mtime_ns
    done = bundle(work, "inference", resume=True, **options)
    assert "5 of 5 images are already finished" in done
    assert (work / "twice" / "porosity.csv").stat().st_mtime_ns == before


def test_a_config_without_the_common_file_finds_it(work, trained):
    """As MONAI's own command line runs it, in a process of its own."""
    line = words("inference", input="rock/images/", output_dir="alone", checkpoint="run/checkpoints/best.pt")
    line[line.index("--config_file") + 1] = str(CONFIGS / "inference.yaml")
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", *line]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(pd.read_csv(work / "alone" / "porosity.csv")) == 5


def test_a_training_with_surroundings_and_what_follows_it(work):
    options = {"dataset_dir": "rock", "network": "unet", "surroundings": "240px", **QUICK}
    bundle(work, "train", output_dir="around", max_epochs=1, **options)
    best = torch.load(work / "around" / "checkpoints" / "best.pt", weights_only=True)
    assert best["vlsenet_format"] == 3
    assert best["network_settings"]["reach"] == 240
    resumed = {name: value for name, value in options.items() if name != "surroundings"}  # chosen as in the first epoch
    bundle(work, "train", output_dir="around", max_epochs=2, resume=True, **resumed)
    refused = bundle(
        work, "train", status=1, output_dir="around", max_epochs=3, resume=True, **{**options, "surroundings": "none"}
    )
    assert "network.reach was 240" in refused
    checkpoint = "around/checkpoints/best.pt"
    bundle(work, "evaluate", dataset_dir="rock", output_dir="around_scores", checkpoint=checkpoint, device="cpu")
    assert json.loads((work / "around_scores" / "summary.json").read_text())["network"]["reach"] == 240
    refused = bundle(
        work,
        "train",
        status=1,
        output_dir="no",
        max_epochs=1,
        start_from=checkpoint,
        **{**options, "surroundings": "none"},
    )
    assert "give --surroundings 240px" in refused


def test_earlier_versions_read_models_without_surroundings(trained):
    best = torch.load(trained / "checkpoints" / "best.pt", weights_only=True)
    assert best["vlsenet_format"] == 1
    assert "reach" not in best["network_settings"]
