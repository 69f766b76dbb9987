"""Folders of scans, stacks, and several processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import zarr
from PIL import Image
from scipy import ndimage

from pipeline.errors import UserError
from pipeline.synthetic import generate
from pipeline.tracking import outbox
from pipeline.workflows import Ranks, ScanCommand
from pipeline.workflows.model_file import TrainedModel
from tests.paths import CONFIGS
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import files, scans_table, settings_of

#: H, W of each slice: two chunks of 256 px
SHAPE = (270, 140)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return trained_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slices")
    for number in range(3):
        Image.fromarray(generate(SHAPE, seed=number).image).save(folder / f"s{number}.png")
    return folder


def command(
    path: Path,
    folder: Path,
    model: TrainedModel,
    stack: bool = False,
    *,
    overwrite: bool = False,
    uri: str | None = None,
    **settings: object,
) -> ScanCommand:
    chosen = settings_of(**{"chunk_size": 256, "precision": "float32", "report": False, "stack": stack, **settings})
    return ScanCommand(str(path), str(folder), model, chosen, None, Ranks(), overwrite, uri, "rocks")


def test_a_folder_of_scans(slices: Path, tmp_path: Path, model: TrainedModel, caplog, capsys) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    for file in slices.iterdir():
        (scans / file.name).write_bytes(file.read_bytes())
    (scans / "broken.tif").write_bytes(b"II*\0" + bytes(20))
    folder = tmp_path / "out"
    with pytest.raises(UserError, match=r"1 of 4 scans were not segmented:\n.*broken\.tif"):
        command(scans, folder, model, stack=False).run()
    table = scans_table(folder).set_index("scan")
    assert "broken.tif" in table.problem["broken.tif"]
    for name in table.index.drop("broken.tif"):
        results = folder / Path(name).stem
        assert table.porosity[name] == pytest.approx(
            json.loads((results / "porosity.json").read_text())["porosity"], abs=1e-6
        )
        assert (results / "manifest.json").exists()
    text = (folder / "scans.csv").read_text().splitlines()
    column = text[0].split(",").index("rock_pixels")
    assert {line.split(",")[column] for line in text[1:]} == {"37800", "113400", ""}  # counts are whole numbers
    overall = pd.read_csv(folder / "scans.csv").iloc[-1]
    assert (overall["scan"], overall["status"]) == ("all 3 scans", "all")
    assert overall["porosity"] == pytest.approx(table.porosity.mean(), abs=2e-6)  # they have one size
    assert overall["interval_95_low"] <= overall["porosity"] <= overall["interval_95_high"]
    assert "Porosity of all 3 scans together" in (folder / "scans.html").read_text()
    lines = [line for line in capsys.readouterr().out.splitlines() if ": porosity" in line]
    assert [line.partition(": porosity")[0] for line in lines] == sorted(table.index.drop("broken.tif"))
    (scans / "broken.tif").unlink()
    caplog.set_level("INFO", logger="vlsenet")
    command(scans, folder, model, stack=False).run()
    assert caplog.text.count("already segmented") == 3
    assert len(scans_table(folder)) == 3
    with pytest.raises(UserError, match=r"(?s)3 of 3 .*other settings: threshold"):
        command(scans, folder, model, stack=False, threshold=0.3).run()


def test_results_among_the_scans_are_no_scans(slices: Path, tmp_path: Path, model: TrainedModel, caplog) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "s0.png").write_bytes((slices / "s0.png").read_bytes())
    command(scans / "s0.png", scans, model).run()
    caplog.set_level("INFO", logger="vlsenet")
    command(scans, tmp_path / "out", model).run()
    assert scans_table(tmp_path / "out").scan.to_list() == ["s0.png"]
    assert "skipped, as results of a segmentation: overview.png" in caplog.text


def test_what_a_folder_holds_besides_scans_is_told(slices: Path, tmp_path: Path, model: TrainedModel, caplog) -> None:
    """Images of a subfolder are not segmented, and a mask is, but hardly on purpose."""
    scans = tmp_path / "scans"
    (scans / "day2").mkdir(parents=True)
    image = (slices / "s0.png").read_bytes()
    for name in ("s0.png", "day2/s1.png"):
        (scans / name).write_bytes(image)
    mask = np.random.default_rng(0).integers(1, 4, SHAPE, np.uint8)
    Image.fromarray(mask).save(scans / "s0_labels.png")
    command(scans, tmp_path / "out", model).run()
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [line for line in told if "pixel size not known" not in line] == [
        f"{scans}: day2/ holds images and is not segmented; give that folder by itself",
        f"{scans / 's0_labels.png'}: it has only 3 grey levels: is this a mask? Give the micrograph",
    ]
    caplog.clear()
    with pytest.raises(UserError, match="the results would go among the slices of the stack"):
        command(scans, scans, model, stack=True).run()


def test_a_stack_is_one_volume(slices: Path, tmp_path: Path, model: TrainedModel, caplog, drawn: None) -> None:
    settings = {"report": True, "formats": ("nifti",), "slice_spacing_nm": 20.0, "pixel_size_nm": 10.0}
    command(slices, tmp_path, model, stack=True, **settings).run()
    caplog.set_level("INFO", logger="vlsenet")
    command(slices, tmp_path, model, stack=True, **settings).run()
    assert "already segmented" in caplog.text
    import nibabel

    mask = np.asarray(zarr.open_group(str(tmp_path / "segmentation.ome.zarr"), mode="r")["0"][0, 0])
    assert mask.shape == (3, *SHAPE)
    volume = nibabel.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(np.asarray(volume.dataobj).T > 0, mask > 0)
    np.testing.assert_allclose(np.diag(volume.affine)[:3] * _nm(volume), [10, 10, 20])
    porosity = json.loads((tmp_path / "porosity.json").read_text())
    assert porosity["porosity"] == pytest.approx((mask > 0).mean())
    assert set(pd.read_csv(tmp_path / "porosity_fields.csv")["slice"]) == {0, 1, 2}
    assert json.loads((tmp_path / "manifest.json").read_text())["request"]["scan"]["slices"] == 3
    _, count = ndimage.label(mask, np.ones((3, 3, 3)))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["volume"]["connectivity"]["pores"] == count == len(pd.read_csv(tmp_path / "pores_3d.csv"))
    assert np.asarray(nibabel.load(tmp_path / "labels.nii.gz").dataobj).max() == count
    assert "Connected fraction along z" in (tmp_path / "report.html").read_text()


def test_results_go_to_mlflow(slices: Path, tmp_path: Path, model: TrainedModel) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    settings = settings_of(chunk_size=256, pixel_size_nm=10.0)
    scan = str(slices / "s0.png")
    ScanCommand(scan, str(tmp_path / "out"), model, settings, None, Ranks(), False, uri, "rocks").run()
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("rocks").experiment_id])
    porosity = json.loads((tmp_path / "out" / "porosity.json").read_text())["porosity"]
    assert run.data.metrics["porosity"] == porosity
    assert run.data.params["threshold"] == "0.5"
    assert {file.path for file in client.list_artifacts(run.info.run_id, "results")} >= {"results/report.html"}
    assert len(client.list_artifacts(run.info.run_id, "figures")) > 3
    assert run.info.status == "FINISHED"


def runs_in(uri: str) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient(uri)
    return client.search_runs([client.get_experiment_by_name("rocks").experiment_id])


def test_what_mlflow_did_not_take_is_sent_by_the_same_command(
    slices: Path, tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Scans that are segmented are no failures; a store that does not answer is asked once."""
    uri, asked = f"sqlite:///{tmp_path / 'mlflow.db'}", []
    monkeypatch.setattr(outbox, "_failed", {})

    def down(_: str) -> None:
        asked.append(1)
        raise mlflow.MlflowException("API request failed")

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "open_client", down)
        command(slices, tmp_path / "all", model, uri=uri).run()
    assert len(asked) == 1
    assert caplog.text.count("did not accept") == 1
    table = scans_table(tmp_path / "all")
    assert table.porosity.notna().all()
    assert "problem" not in table
    outbox._failed.clear()  # half a minute later
    for _ in range(2):  # the second time MLflow has them
        command(slices, tmp_path / "all", model, uri=uri).run()
        assert sorted(run.info.run_name for run in runs_in(uri)) == ["s0.png", "s1.png", "s2.png"]
    assert not list((tmp_path / "all").rglob(outbox.FILE_NAME))
    run = next(run for run in runs_in(uri) if run.info.run_name == "s1.png")
    porosity = json.loads((tmp_path / "all" / "s1" / "porosity.json").read_text())["porosity"]
    assert (run.data.metrics["porosity"], run.info.status) == (porosity, "FINISHED")


def test_a_store_that_can_not_be_right_is_refused_before_the_scan_is_segmented(
    slices: Path, tmp_path: Path, model: TrainedModel
) -> None:
    (tmp_path / "notes.txt").write_text("no database" * 100)
    with pytest.raises(UserError, match=r"--tracking_uri sqlite:.*file is not a database"):
        command(slices / "s0.png", tmp_path / "out", model, uri=f"sqlite:///{tmp_path}/notes.txt").run()
    assert not (tmp_path / "out").exists()


def test_a_scan_that_was_finished_before_goes_to_each_store_once(
    slices: Path, tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scan, folder = slices / "s0.png", tmp_path / "out"
    command(scan, folder, model).run()
    for uri in ("sqlite:///a.db", f"sqlite:///{tmp_path}/a.db", "sqlite:///b.db"):
        command(scan, folder, model, uri=uri).run()
        assert len(runs_in(uri)) == 1
    command(scan, folder, model, uri="sqlite:///a.db", overwrite=True).run()
    assert len(runs_in("sqlite:///a.db")) == 2  # other results


def test_results_that_were_removed_are_written_again(
    slices: Path, tmp_path: Path, model: TrainedModel, caplog: pytest.LogCaptureFixture
) -> None:
    scan, folder = slices / "s0.png", tmp_path / "out"

    def run() -> None:
        command(scan, folder, model, report=True, formats=("tiff",)).run()

    run()
    before = {name: (folder / name).read_bytes() for name in ("pores.csv", "porosity.json", "mask.ome.tif")}
    for gone in (["report.html", *before], ["manifest.json"]):
        for name in gone:
            (folder / name).unlink()
        caplog.clear()
        run()
        assert f"{gone[0]}" in caplog.text
        assert "missing; writing the results again" in caplog.text
        assert {name: (folder / name).read_bytes() for name in before} == before
        assert (folder / "report.html").exists()
        assert (folder / "manifest.json").exists()
    caplog.set_level("INFO", logger="vlsenet")
    run()
    assert "already segmented" in caplog.text


def test_each_scan_has_a_folder_of_its_own(slices: Path, tmp_path: Path, model: TrainedModel) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    picture = Image.fromarray(generate((64, 64), seed=1).image)
    names = ["a.png", "a.tif", "a.tif.png", "B.png", "b.tif", "scans.csv.png"]
    for name in names:
        picture.save(scans / name)
    command(scans, tmp_path / "out", model).run()
    table = scans_table(tmp_path / "out").set_index("scan")
    assert sorted(table.index) == sorted(names)
    assert table.results.is_unique
    for name in names:
        request = json.loads((tmp_path / "out" / table.results[name] / "manifest.json").read_text())["request"]
        assert request["scan"]["name"] == name


def test_results_never_replace_the_scans(slices: Path, tmp_path: Path, model: TrainedModel) -> None:
    for name in ("a.png", "a.tif", "overview.png"):
        (tmp_path / name).write_bytes((slices / "s0.png").read_bytes())
    for overwrite in (False, True):
        with pytest.raises(UserError, match="the results would go into the scan"):
            command(tmp_path, tmp_path, model, overwrite=overwrite).run()
        with pytest.raises(UserError, match="the results would replace it"):
            command(tmp_path / "overview.png", tmp_path, model, overwrite=overwrite).run()
        with pytest.raises(UserError, match="the results would go among the slices of the stack"):
            command(tmp_path, tmp_path, model, stack=True, overwrite=overwrite).run()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.tif", "overview.png"]


def test_a_table_of_others_is_left_alone(slices: Path, tmp_path: Path, model: TrainedModel) -> None:
    (tmp_path / "scans.csv").write_text("my,own\n1,2\n")
    with pytest.raises(UserError, match=r"scans\.csv was not written by vlsenet"):
        command(slices, tmp_path, model).run()
    assert (tmp_path / "scans.csv").read_text() == "my,own\n1,2\n"


def _nm(volume: object) -> float:
    return {"mm": 1e6, "micron": 1e3}[volume.header.get_xyzt_units()[0]]


def test_two_processes_give_the_bytes_of_one_and_a_bad_scan_ends_neither(tmp_path: Path) -> None:
    model = trained_model(tmp_path, reach=240)  # that sees surroundings has more to share
    scan = tmp_path / "scans" / "scan.tif"
    scan.parent.mkdir()
    (tmp_path / "scans" / "broken.tif").write_bytes(b"II*\0" + bytes(20))
    tifffile.imwrite(scan, generate((500, 300), seed=3).image, tile=(128, 128))
    configs = [str(CONFIGS / name) for name in ("common.yaml", "scan.yaml", "multi_gpu_scan.yaml")]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    options = {
        "--input": scan.parent,
        "--output_dir": tmp_path / "two",
        "--checkpoint": model.path,
        "--chunk_size": 256,
        "--report": False,
    }
    bundle = ["-m", "monai.bundle", "run", "--config_file", str(configs), "--device", "cpu"]
    words = [sys.executable, *launcher, *bundle, *(str(word) for pair in options.items() for word in pair)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    two = subprocess.run(words, timeout=240, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert two.returncode == 1, two.stderr[-3000:]
    assert two.stderr.count("error: 1 of 2 scans were not segmented") == 1, two.stderr[-3000:]
    assert scans_table(tmp_path / "two").status.to_list() == ["failed", "segmented"]
    assert two.stdout.count("porosity") == 1
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        command(scan, tmp_path / "one", model, stack=False, precision="auto", threshold=model.threshold).run()
    finally:
        torch.set_num_threads(threads)
    assert files(tmp_path / "two" / "scan") == files(tmp_path / "one")
    assert len(list((tmp_path / "two" / "scan" / "journal").glob("chunks-*.jsonl"))) == 2


def test_a_name_that_is_no_text_does_not_stop_the_others(slices: Path, tmp_path: Path, model: TrainedModel) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    image = (slices / "s0.png").read_bytes()
    (scans / "good.png").write_bytes(image)
    try:
        Path(os.fsdecode(bytes(scans) + b"/bad\xff.png")).write_bytes(image)
    except OSError:
        pytest.skip("this file system takes names of UTF-8 only")
    with pytest.raises(UserError, match=r"(?s)1 of 2 .*bad\\xff\.png: its name is not UTF-8 text.*rename it"):
        command(scans, tmp_path / "out", model, stack=False).run()
    table = scans_table(tmp_path / "out").set_index("scan")
    assert "rename it" in table.problem["bad\\xff.png"]
    assert table.results["good.png"] == "good"
