from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.main import main
from pipeline.cli.paths import model_in, output_folder
from pipeline.errors import MISTAKE, SUCCESS
from pipeline.files import atomic_path, name_that_fits
from pipeline.synthetic import generate, write_dataset
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.visual import write_png


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/scan.tif", "scan"),
        ("scan.ome.tiff", "scan"),
        ("v1.2.nii.gz", "v1.2"),
        ("scan.ome.zarr/", "scan"),
        ("https://host/data/scan.zarr/", "scan"),
        ("folder.v2/", "folder.v2"),
        ("folder.v2/..", None),
    ],
)
def test_results_are_named_after_what_goes_in(
    path: str, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("folder.v2", "scan.ome.zarr"):
        (tmp_path / folder).mkdir()
    assert output_folder(path, "_pores") == f"{name or tmp_path.name}_pores"


@pytest.mark.parametrize("stem", ["\u5b54" * 83 + "s", "s" * 250, "\u5b54" * 80 + ".v2"])
def test_a_name_as_long_as_the_file_system_allows(stem: str, tmp_path: Path) -> None:
    """Whatever is made of it fits, and stays different from what is made of another."""
    folder = tmp_path / output_folder(f"{stem}.tif", "_pores")
    folder.mkdir()
    assert folder.name.endswith("_pores")
    assert folder.name[:60] == stem[:60]
    other = output_folder(f"{stem[:-1]}x.tif", "_pores")
    assert other != folder.name or len(f"{stem}_pores".encode()) <= 255
    for name in (f"{stem}.tif", name_that_fits(stem, before="epoch_0001_", after=".png"), stem + "." + "x" * 4):
        write_atomically(tmp_path / name)
    picture = np.zeros((4, 4, 3), np.uint8)
    run = TrackedRun(None, "names", None, str(tmp_path / "run"), {}, {})
    (tmp_path / "run").mkdir()
    run.start({})
    run.log_picture(picture, f"validation_{stem}", 1)
    run.finish("FINISHED")
    assert not (tmp_path / "run" / "mlflow_unsent.jsonl").exists()


def write_atomically(path: Path) -> None:
    with atomic_path(path) as partial:
        partial.write_text("x")
    assert path.read_text() == "x"


def test_a_name_that_is_too_long_is_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", "s" * 300 + ".tif"]) == MISTAKE
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{'s' * 300}.tif: this name is too long" in line


def test_the_model_of_a_training(tmp_path: Path) -> None:
    assert model_in(str(tmp_path)) is None
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.pt").touch()
    assert model_in(str(tmp_path)) == str(tmp_path / "checkpoints" / "best.pt")
    assert model_in(str(tmp_path / "checkpoints" / "best.pt")) is None


LONG = "\u5b54" * 82
QUICK = ["max_epochs=1", "steps_per_epoch=1", "batch_size=2", "patch_size=64", "features=[4,4,4,4,4]", "device=cpu"]


@pytest.mark.parametrize("relative", [True, False])
def test_any_name_that_the_file_system_allows(
    relative: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    """From images to a model, scores, a comparison and a report, in folders that libraries take for addresses."""
    odd = tmp_path / ("%Ca $1" if relative else "30%Ca")
    odd.mkdir()
    monkeypatch.chdir(odd)
    here = Path() if relative else odd
    rock, runs, scan = (here / name for name in ("@rock#2", "#run?a=b:c%20", "Core3:top#1.png"))
    write_dataset(rock, 3, shape=(80, 96), seed=3, val=1, test=0, text=False)
    for folder in ("images", "labels"):
        for number, file in enumerate(sorted((rock / folder).iterdir())):
            file.rename(file.with_name(LONG + f" :%{number}.png"))
    (rock / "split.csv").unlink()
    write_png(scan, generate((120, 128), seed=1).image)
    quick = [word for value in QUICK for word in ("--set", value)]
    assert main(["prepare", str(rock)]) == SUCCESS
    assert main(["train", str(rock), "--output_dir", str(runs), *quick]) == SUCCESS
    model = str(runs / "checkpoints" / "best.pt")
    assert main(["evaluate", str(rock), "--checkpoint", model, "--output_dir", str(runs / "val#")]) == SUCCESS
    assert main(["compare", str(runs), "--output_dir", str(here / "%compared")]) == SUCCESS
    results = str(here / "http:")
    assert main(["segment", str(scan), "--checkpoint", model, "--output_dir", results]) == SUCCESS
    written = {path.relative_to(odd).as_posix() for path in odd.rglob("*") if path.is_file()}
    assert {
        "mlflow.db",
        "#run?a=b:c%20/training_log.csv",
        "#run?a=b:c%20/val#/per_image.csv",
        "%compared/report.html",
        "http:/report.html",
        "http:/pores.parquet",
    } <= written
    assert {path.name for path in odd.iterdir()} == {
        *(rock.name, runs.name, scan.name, "%compared", "http:"),
        *("mlflow.db", "mlflow_artifacts"),
    }
    config = next((odd / "mlflow_artifacts").rglob("config.yaml"))
    assert config.is_file()
    manifest = json.loads((odd / "http:" / "manifest.json").read_text())
    with (odd / "http:" / "pores.csv").open() as file:
        assert len(list(csv.reader(file))) == 1 + manifest["pores"]["pores"]
