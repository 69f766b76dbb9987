from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import mlflow
import pandas as pd
import pytest
import torch

from pipeline.errors import UserError
from pipeline.networks import VLSENet, parameter_count
from pipeline.synthetic import write_dataset

SCRIPT = Path(__file__).parents[2] / "scripts" / "ablation.py"
TINY = ["--max_epochs", "3", "--steps_per_epoch", "1", "--batch_size", "2", "--patch_size", "64", "--mirror", "false"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ablation", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_help_answers_without_heavy_imports():
    code = (
        f"import sys, runpy; sys.argv = ['ablation.py', '--help']\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'numpy', 'torch', 'pipeline'} & sys.modules.keys()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "examples:" in result.stdout


def test_other_options_are_overrides_of_the_trainings(script):
    given = ["--learning_rate", "1e-3", "--skip_bad", "--switches::context=false", "--features", "[8,8,8,8,8]"]
    assert script.overrides([*given, "--preset", "base", "--shift", "-1"]) == {
        "learning_rate": 1e-3,
        "skip_bad": True,
        "switches::context": False,
        "features": [8, 8, 8, 8, 8],
        "preset": "base",
        "shift": -1,
    }
    with pytest.raises(UserError, match="'base' belongs to no option"):
        script.overrides(["--preset", "small", "base"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "--dataset_dir is missing"),
        (["--dataset_dir", "rock", "--only", "unett"], "no such variant: unett"),
        (["--dataset_dir", "rock", "--jobs", "0"], "--jobs 0"),
        (["--dataset_dir", "rock", "--seeds", "0,x"], "--seeds"),
        (["--dataset_dir", "rock", "--seed", "3"], "--seed: it is set for each run"),
        (["--table_only"], "holds no runs"),
    ],
)
def test_mistakes_are_one_line(script, tmp_path, capsys, options, told):
    assert script.main(["--output_dir", str(tmp_path / "out"), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert told in line
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_ablation_is_interrupted_goes_on_and_makes_its_table(tmp_path):
    write_dataset(tmp_path / "rock", 2, shape=(96, 96), seed=3, val=1, test=0)
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "baseline: small\nvariants: {small: {network: unet}, none: {text_source: none, switches: {context: false}},"
        " bad: {network: unet, switches: {context: false}}}"
    )
    command = [sys.executable, str(SCRIPT), "--plan", str(plan), "--dataset_dir", "rock", "--output_dir", "out", *TINY]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    first = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    last = tmp_path / "out" / "small" / "seed0" / "checkpoints" / "last.pt"
    deadline = time.monotonic() + 400
    while not last.exists() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    told = first.communicate(timeout=100)[1]
    assert first.returncode == 130, told
    assert "the same command goes on" in told

    second = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert second.returncode == 1, second.stderr  # `bad` can't be trained
    table = pd.read_csv(tmp_path / "out" / "ablation.csv").set_index("variant")
    assert list(table["runs"]) == [1, 1, 0]
    assert table.loc["bad", "failed"] == 1
    assert "the U-Net has no parts to switch" in second.stdout
    scores = json.loads((tmp_path / "out" / "none" / "seed0" / "evaluation" / "summary.json").read_text())["pooled"]
    assert table.loc["none", "dice_mean"] == pytest.approx(scores["dice"], rel=1e-5)
    saved = torch.load(tmp_path / "out/none/seed0/checkpoints/best.pt", weights_only=True)
    assert saved["network_settings"]["switches"] == {"context": False}
    assert table.loc["none", "parameters"] < parameter_count(VLSENet(text_dim=256))

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/out/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("out").experiment_id])
    tags = {run.info.run_name: (run.data.tags["variant"], run.data.tags["seed"], run.info.status) for run in runs}
    # the interrupted training went on in its own MLflow run
    assert tags == {"small seed 0": ("small", "0", "FINISHED"), "none seed 0": ("none", "0", "FINISHED")}
    steps = {len(client.get_metric_history(run.info.run_id, "val_dice")) for run in runs}
    assert steps == {3}

    third = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert third.returncode == 1
    assert "0 of 3 runs are left" in third.stderr
