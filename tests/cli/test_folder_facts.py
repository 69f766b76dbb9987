"""What `vlsenet info` says of folders of results, as the commands leave them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline.cli.folder_facts import KINDS
from pipeline.cli.main import main
from pipeline.errors import MISTAKE, SUCCESS
from pipeline.synthetic import generate, write_dataset
from pipeline.visual import write_png
from pipeline.workflows.bundle_workflow import run_config
from tests.workflows.export.cases import write_checkpoint

QUICK = {"device": "cpu", "logging_file": False, "precision": "float32"}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set and a model."""
    folder = tmp_path_factory.mktemp("work")
    write_dataset(folder / "rock", 3, shape=(64, 80), seed=3, val=1, test=0)
    (folder / "run" / "checkpoints").mkdir(parents=True)
    write_checkpoint(folder / "run" / "checkpoints" / "best.pt")
    shutil.copy(folder / "run" / "checkpoints" / "best.pt", folder / "run" / "checkpoints" / "last.pt")
    return folder


def said(capsys: pytest.CaptureFixture[str], folder: Path) -> dict[str, str]:
    """The lines of `vlsenet info`, by their names."""
    assert main(["info", str(folder)]) == SUCCESS
    lines = [re.split(r" {2,}", line.strip(), maxsplit=1) for line in capsys.readouterr().out.splitlines()[1:]]
    return dict(lines)


def in_json(capsys: pytest.CaptureFixture[str], folder: Path) -> dict:
    assert main(["info", str(folder), "--json"]) == SUCCESS
    return json.loads(capsys.readouterr().out)


def test_a_training_and_a_data_set(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, work / "run")
    assert lines["folder of"] == "a training"
    assert lines["best model"] == str(work / "run" / "checkpoints" / "best.pt")
    assert "widths 8, 8, 16, 16, 32" in lines["network"]
    assert in_json(capsys, work / "run")["model"]["kind"] == "checkpoint"
    (work / "mlflow.db").touch()
    lines = said(capsys, work)
    assert (lines["folder of"], lines["trainings"]) == ("trainings", "run")
    lines = said(capsys, work / "rock")
    assert lines == {"folder of": "a data set", "images": "3 with labels", "split": "train 2, val 1"}


def test_a_segmented_scan_and_a_folder_of_them(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], undrawn: None
) -> None:
    (tmp_path / "scans").mkdir()
    write_png(tmp_path / "scans" / "a.png", generate((80, 96), seed=1).image)
    model = str(work / "run" / "checkpoints" / "best.pt")
    run_config("scan", input=str(tmp_path / "scans"), output_dir=str(tmp_path / "out"), checkpoint=model, **QUICK)
    capsys.readouterr()
    lines = said(capsys, tmp_path / "out" / "a")
    written = json.loads((tmp_path / "out" / "a" / "porosity.json").read_text())
    assert lines["folder of"] == "a segmented scan"
    assert lines["porosity"].startswith(f"{written['porosity']:.4f}")
    assert lines["pores"] == str(len(pd.read_csv(tmp_path / "out" / "a" / "pores.csv")))
    assert (lines["scan"], lines["asked for"], lines["model"]) == ("a.png", "pore", model)
    assert in_json(capsys, tmp_path / "out" / "a")["porosity"] == written
    lines = said(capsys, tmp_path / "out")
    assert (lines["folder of"], lines["scans"]) == ("segmented scans", "1 of 1 segmented")
    (tmp_path / "out" / "a" / "manifest.json").unlink()
    assert "resumes it" in said(capsys, tmp_path / "out" / "a")["state"]


def test_an_evaluation(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = str(work / "run" / "checkpoints" / "best.pt"), work / "scores"
    run_config("evaluate", dataset_dir=str(work / "rock"), output_dir=str(out), checkpoint=model, **QUICK)
    capsys.readouterr()
    lines = said(capsys, out)
    summary = json.loads((out / "summary.json").read_text())
    assert (lines["folder of"], lines["split"], lines["images"]) == ("an evaluation", "val", "1")
    assert lines["Dice of pore"].startswith(f"{summary['pooled']['dice']:.4f} pooled")
    (out / "summary.json").write_text("{")
    assert main(["info", str(out)]) == MISTAKE
    assert "looks like the folder of an evaluation, but a file is damaged" in capsys.readouterr().err


def test_an_experiment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("plan.yaml", "folds.json"):
        (tmp_path / name).write_text("{}")
    assert said(capsys, tmp_path)["runs"] == "none yet"
    rows = [("unet", "finished", 0.5), ("unet", "finished", 0.7), ("vlsenet", "failed", None)]
    pd.DataFrame(rows, columns=["variant", "state", "dice"]).to_csv(tmp_path / "runs.csv", index=False)
    lines = said(capsys, tmp_path)
    assert lines["runs"] == "2 finished, 1 failed"
    assert lines["unet"] == "pooled Dice 0.6000, mean over its finished runs (2)"
    assert "vlsenet" not in lines


def test_a_comparison(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("report.html", "differences.csv"):
        (tmp_path / name).touch()
    rows = [(variant, measure, 0.5) for variant in ("unet", "vlsenet") for measure in ("dice", "cl_dice")]
    pd.DataFrame(rows, columns=["variant", "measure", "mean"]).to_csv(tmp_path / "variants.csv", index=False)
    assert said(capsys, tmp_path)["variants"] == "unet, vlsenet"


def test_each_kind_has_marks_of_its_own() -> None:
    assert len({kind.marks for kind in KINDS}) == len(KINDS)
