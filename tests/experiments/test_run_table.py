from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.experiments import Run, read_runs
from pipeline.experiments.record import run_table, write_run_table


def put(folder: Path, variant: str, fold: str = "", state: str = "finished", **settings) -> Path:
    run = folder / variant / (f"fold{fold}" if fold else "") / "seed0"
    Run(run, variant, 0, fold, "abc", {}, {}, state, **settings).write()
    if state == "finished":
        summary = {
            "pooled": {"dice": 0.84, "dice_at_half": 0.5, "cl_dice": 0.91},
            "mean": {"dice": 0.6, "porosity_error": 0.01},
            "threshold": 0.4,
        }
        (run / "evaluation").mkdir()
        (run / "evaluation" / "summary.json").write_text(json.dumps(summary))
    return run


def test_runs_stand_as_in_their_records_and_summaries(tmp_path):
    put(tmp_path, "unet", parameters=1_800_000, gflops=3.5, training_seconds=60.0, code=["0.1.0", "0.2.0"])
    put(tmp_path, "unet", "13", "failed", error="the loss became nan")
    write_run_table(tmp_path)
    runs = pd.read_csv(tmp_path / "runs.csv", dtype={"fold": str}).fillna({"fold": "", "error": ""})
    done, failed = runs[runs["state"] == "finished"].iloc[0], runs[runs["state"] == "failed"].iloc[0]
    assert (done["fold"], done["dice"], done["dice_per_image"], done["porosity_error"]) == ("", 0.84, 0.6, 0.01)
    assert (float(done["parameters"]), float(done["gflops"]), done["code"]) == (1_800_000, 3.5, "0.1.0 then 0.2.0")
    assert (failed["fold"], failed["error"]) == ("13", "the loss became nan")
    assert np.isnan(failed["dice"])


@pytest.mark.parametrize("content", [None, "", "{}", "[]"])
def test_a_damaged_summary_is_told_and_the_other_runs_stand(tmp_path, content):
    put(tmp_path, "vlsenet")
    summary = put(tmp_path, "unet") / "evaluation" / "summary.json"
    summary.unlink()
    if content is not None:
        summary.write_text(content)
    runs = run_table(read_runs(tmp_path)).set_index("variant")
    assert runs.loc["unet", "state"] == "failed"
    assert f"{summary} can't be read" in runs.loc["unet", "error"]
    assert runs.loc["vlsenet", "dice"] == 0.84


def test_several_phases_have_columns_of_their_own_beside_the_means(tmp_path):
    summary = put(tmp_path, "vlsenet") / "evaluation" / "summary.json"
    phases = {
        name: {"pooled": {"dice": dice, "cl_dice": None}, "mean": {"dice": 0.5, "area_error": error}}
        for name, dice, error in (("pore", 0.8, 0.01), ("silt grain", 0.4, 0.05))
    }
    means = {"pooled": {"dice": 0.6}, "mean": {"dice": 0.5, "area_error": 0.03}}
    thresholds = {"pore": 0.5, "silt grain": 0.3}
    summary.write_text(json.dumps({**means, "threshold": thresholds, "phases": phases}))
    put(tmp_path, "unet")
    write_run_table(tmp_path)
    runs = pd.read_csv(tmp_path / "runs.csv").set_index("variant")
    several, one = runs.loc["vlsenet"], runs.loc["unet"]
    assert (several["state"], several["dice"], several["porosity_error"]) == ("finished", 0.6, 0.03)
    assert (several["pore/dice"], several["silt grain/dice"]) == (0.8, 0.4)
    assert (several["pore/threshold"], several["silt grain/threshold"]) == (0.5, 0.3)
    assert several["silt grain/porosity_error"] == 0.05
    assert (one["dice"], one["threshold"]) == (0.84, 0.4)
    assert np.isnan([one["silt grain/dice"], several["threshold"], several["cl_dice"]]).all()
