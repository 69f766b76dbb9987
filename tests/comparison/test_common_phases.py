"""Comparison of runs of several phases."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from pipeline.comparison.compare import compare
from pipeline.errors import UserError
from tests.comparison.simulated import evaluate, log_run

PHASES = ("pore", "silt grain")


@pytest.fixture(scope="module")
def store(make_store, tmp_path_factory) -> tuple[str, dict[str, str], Path]:
    """Two variants of two phases, one of pores alone, and one of another phase; their ids and files."""
    folder = tmp_path_factory.mktemp("phases")
    uri = make_store(folder)
    client = mlflow.MlflowClient(uri)
    experiment = str(client.create_experiment("rock", artifact_location=(folder / "files").as_uri()))
    evaluate(folder / "plain", 0, False, "0", phases=PHASES)
    evaluate(folder / "noisy", 1, True, "1", phases=PHASES)
    evaluate(folder / "cracks", 2, False, "2", phases=("crack", "pyrite"))
    evaluate(folder / "pores", 3, False, checkpoint="3")
    ids = {
        name: log_run(client, uri, experiment, folder / name, variant=name, seed="0")
        for name in ("plain", "noisy", "cracks", "pores")
    }
    return uri, ids, folder


def test_the_phases_stand_beside_their_means(store, tmp_path):
    uri, ids, folder = store
    found = compare(uri, tmp_path, run_ids=[ids["plain"], ids["noisy"]], baseline="plain")
    table = pd.read_csv(tmp_path / "phases.csv").set_index(["variant", "phase", "measure"])
    together = pd.read_csv(tmp_path / "variants.csv").set_index(["variant", "measure"])
    for variant in ("plain", "noisy"):
        images = pd.read_csv(folder / variant / "per_image.csv")
        summary = json.loads((folder / variant / "summary.json").read_text())
        for phase in PHASES:
            own = images[images["phase"] == phase]
            assert table.loc[(variant, phase, "dice"), "mean"] == pytest.approx(own["dice"].mean(), abs=1e-5)
            assert table.loc[(variant, phase, "porosity_error"), "mean"] == pytest.approx(
                own["area_error"].mean(), abs=1e-5
            )
            pooled = summary["phases"][phase]["pooled"]["dice"]
            assert table.loc[(variant, phase, "dice"), "pooled"] == pytest.approx(pooled, abs=1e-5)
        assert together.loc[(variant, "dice"), "mean"] == pytest.approx(images["dice"].mean(), abs=1e-5)
        assert together.loc[(variant, "dice"), "pooled"] == pytest.approx(summary["pooled"]["dice"], abs=1e-5)
    head = found.markdown.splitlines()[0]
    assert "| Dice, pore | Dice, silt grain |" in head
    assert "means over the phases (pore, silt grain)" in found.markdown
    report = (tmp_path / "report.html").read_text()
    assert "Dice, silt grain" in report
    assert "true silt grain" in report or "true pore" in report
    run = mlflow.MlflowClient(uri).get_run(ids["plain"])
    silt = json.loads((folder / "plain" / "summary.json").read_text())["phases"]["silt grain"]
    assert run.data.metrics["silt grain/evaluation_pooled_dice"] == silt["pooled"]["dice"]


def test_runs_of_other_phases_are_compared_on_those_in_common_and_it_is_said(store, tmp_path):
    uri, ids, folder = store
    found = compare(uri, tmp_path, run_ids=[ids["plain"], ids["pores"]], baseline="pores")
    said = [line for line in found.markdown.splitlines() if "different phases" in line]
    assert len(said) == 1
    assert "compared on pore only" in said[0]
    assert not (tmp_path / "phases.csv").exists()
    together = pd.read_csv(tmp_path / "variants.csv").set_index(["variant", "measure"])
    images = pd.read_csv(folder / "plain" / "per_image.csv").query("phase == 'pore'")
    assert together.loc[("plain", "dice"), "mean"] == pytest.approx(images["dice"].mean(), abs=1e-5)
    alone = json.loads((folder / "pores" / "summary.json").read_text())
    assert together.loc[("pores", "dice"), "pooled"] == pytest.approx(alone["pooled"]["dice"], abs=1e-5)


def test_runs_without_a_common_phase_are_refused_in_one_line(store, tmp_path):
    uri, ids, _ = store
    with pytest.raises(UserError, match=r"crack, pyrite in .*none is common") as caught:
        compare(uri, tmp_path, run_ids=[ids["plain"], ids["cracks"]], baseline="plain")
    assert len(str(caught.value).splitlines()) == 1
