from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import UserError
from pipeline.experiments import Record, markdown, read_records, run_table, summary_table, write_tables

DICE = {"unet": {0: 0.80, 1: 0.84, 2: 0.82}, "vlsenet": {0: 0.83, 1: 0.85}, "small": {0: 0.7}}
POROSITY_ERROR = {"unet": {0: 0.020, 1: 0.010, 2: 0.03}, "vlsenet": {0: 0.015, 1: 0.011}, "small": {0: 0.01}}


def put(folder: Path, variant: str, seed: int, state: str = "finished", **settings) -> None:
    run = folder / variant / f"seed{seed}"
    record = Record(
        variant, seed, {}, {}, state, parameters=1_800_000, training_seconds=60.0 * (seed + 1), code="0.1.0"
    )
    for name, value in settings.items():
        setattr(record, name, value)
    record.write(run)
    if state == "finished":
        pooled = {"dice": DICE[variant][seed], "dice_at_half": 0.5, "cl_dice": 0.9 + seed / 100}
        mean = {"dice": 0.6, "porosity_error": POROSITY_ERROR[variant][seed]}
        (run / "evaluation").mkdir(exist_ok=True)
        summary = {"pooled": pooled, "mean": mean, "threshold": 0.4}
        (run / "evaluation" / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def experiment(tmp_path) -> Path:
    for variant, seeds in DICE.items():
        for seed in seeds:
            put(tmp_path, variant, seed)
    put(tmp_path, "vlsenet", 2, "failed", error="the loss became nan", parameters=None)
    put(tmp_path, "small", 1, "interrupted", parameters=None)
    return tmp_path


def test_runs_stand_as_in_their_summaries(experiment):
    runs = run_table(read_records(experiment)).set_index(["variant", "seed"])
    assert len(runs) == 8
    assert runs.loc[("unet", 1), "dice"] == 0.84
    assert runs.loc[("unet", 1), "dice_per_image"] == 0.6
    assert runs.loc[("unet", 1), "porosity_error"] == 0.010
    assert runs.loc[("unet", 1), "cl_dice"] == 0.91
    assert np.isnan(runs.loc[("vlsenet", 2), "dice"])
    assert runs.loc[("vlsenet", 2), "error"] == "the loss became nan"


def test_means_and_paired_differences_by_hand(experiment):
    table = summary_table(run_table(read_records(experiment)), "unet", ["unet", "vlsenet"]).set_index("variant")
    assert list(table.index) == ["unet", "vlsenet", "small"]
    unet, vlsenet = table.loc["unet"], table.loc["vlsenet"]
    assert unet["dice_mean"] == pytest.approx(statistics.mean(DICE["unet"].values()))
    assert unet["dice_std"] == pytest.approx(statistics.stdev(DICE["unet"].values()))
    assert unet["training_seconds"] == pytest.approx(120)
    assert (vlsenet["runs"], vlsenet["failed"], vlsenet["seeds"], vlsenet["paired_seeds"]) == (2, 1, "0 1", 2)
    # seeds 0 and 1 alone: +0.03 and +0.01, of a mean of 0.82
    assert vlsenet["dice_gain"] == pytest.approx(0.02)
    assert vlsenet["dice_gain_std"] == pytest.approx(math.sqrt(2) * 0.01)
    assert vlsenet["dice_gain_percent"] == pytest.approx(100 * 0.02 / 0.82)
    # -0.005 and +0.001, of a mean of 0.015
    assert vlsenet["porosity_error_gain"] == pytest.approx(-0.002)
    assert vlsenet["porosity_error_gain_percent"] == pytest.approx(-100 * 0.002 / 0.015)
    assert vlsenet["cl_dice_gain"] == pytest.approx(0)


def test_the_baseline_and_a_single_seed_claim_no_spread(experiment):
    table = summary_table(run_table(read_records(experiment)), "unet").set_index("variant")
    assert np.isnan(table.loc["unet", "dice_gain"])
    small = table.loc["small"]
    assert small["dice_gain"] == pytest.approx(-0.1)
    assert np.isnan(small["dice_std"])
    assert np.isnan(small["dice_gain_std"])


def test_the_markdown_says_what_a_reader_must_know(experiment):
    text = write_tables(experiment, "unet", ["unet", "vlsenet", "small"])
    rows = {line.split(" | ")[0][2:]: line for line in text.splitlines() if line.startswith("| ")}
    assert "0.8200 ± 0.0200" in rows["unet"]
    assert rows["unet"].count(" - ") == 2
    assert "+0.0200 ± 0.0141 (+2.4 %)" in rows["vlsenet"]
    assert "2 (1 failed)" in rows["vlsenet"]
    assert "±" not in rows["small"]
    assert "-0.1000 (-12.5 %)" in rows["small"]
    assert "One seed only, so that nothing is known of the spread: small." in text
    assert "Not all variants have the same seeds yet" in text
    assert "Failed: vlsenet seed 2: the loss became nan" in text
    assert "Not finished: small seed 1" in text
    assert "Not all runs are of the same code" not in text
    assert (experiment / "ablation.md").read_text() == text
    assert pd.read_csv(experiment / "ablation.csv").set_index("variant").loc["vlsenet", "dice_gain"] == pytest.approx(
        0.02
    )
    assert len(pd.read_csv(experiment / "runs.csv")) == 8


def test_runs_of_different_code_are_told(experiment):
    put(experiment, "unet", 1, code="0.2.0")
    assert "Code: 0.1.0, 0.2.0. **Not all runs are of the same code.**" in write_tables(experiment, "unet")


def test_without_the_baseline_there_is_nothing_to_compare_with(tmp_path):
    put(tmp_path, "vlsenet", 0, "failed", parameters=None)
    put(tmp_path, "small", 0)
    runs = run_table(read_records(tmp_path))
    table = summary_table(runs, "unet")
    assert np.isnan(table.set_index("variant").loc["small", "dice_gain"])
    text = markdown(table, runs, "unet")
    assert "nan" not in text
    with pytest.raises(UserError, match="holds no runs"):
        write_tables(tmp_path / "empty", "unet")


@pytest.mark.parametrize("content", [None, "", "{}", "[]"])
def test_a_damaged_summary_is_told_and_the_other_runs_stand(experiment, content):
    summary = experiment / "unet" / "seed2" / "evaluation" / "summary.json"
    summary.unlink()
    if content is not None:
        summary.write_text(content)
    text = write_tables(experiment, "unet")
    assert f"Failed: unet seed 2: {summary} can't be read" in text
    assert run_table(read_records(experiment)).set_index(["variant", "seed"]).loc[("unet", 1), "dice"] == 0.84
