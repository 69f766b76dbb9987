"""Scans that are asked for several phases, from the model file to the results."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from skimage.draw import disk
from skimage.measure import label

from pipeline.cli.main import main
from pipeline.errors import SUCCESS, UserError
from pipeline.phases import Phase
from pipeline.workflows import Ranks, ScanCommand, ScanSegmentation, asked_prompts, chosen_phases
from pipeline.workflows.model_file import TrainedModel
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import files, scans_table, settings_of
from tests.workflows.scan.phase_models import GREY, NAMES, ByGrey, phases_model

#: the grey values reach the network as they are, whatever is around them
ENGINE = {"chunk_size": 256, "halo": 32, "statistics": "network", "flatten_shading": False, "skip_empty": False}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """It knows three phases by their grey levels."""
    return dataclasses.replace(phases_model(tmp_path_factory.mktemp("model")), network=ByGrey().eval())


def made_image(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A clay ground with dark pores and bright grains: image (H, W), and the phase of each pixel by its number."""
    random = np.random.default_rng(seed)
    codes = np.full((300, 330), 3, np.uint8)
    for number in range(36):
        centre = 25 + 50 * (number // 6), 25 + 54 * (number % 6)
        codes[disk(centre, random.uniform(4, 15), shape=codes.shape)] = 1 + number % 2
    levels = np.array([0, *(GREY[name] for name in NAMES)], np.uint8)
    return (levels[codes] + random.integers(-3, 4, codes.shape)).astype(np.uint8), codes


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    path = tmp_path_factory.mktemp("scan") / "scan.tif"
    image, codes = made_image()
    tifffile.imwrite(path, image)
    return path, codes


def segmentation(
    scan: Path, folder: Path, model: TrainedModel, phases: str | None = None, **changes: Any
) -> ScanSegmentation:
    chosen = chosen_phases(model, phases)
    given = changes.pop("threshold", model.threshold)
    others = {name: changes.pop(name) for name in ("overwrite",) if name in changes}
    settings = settings_of(
        asked_prompts(chosen),
        model.thresholds_for(given, chosen),
        phases=chosen,
        **{**ENGINE, **changes},
    )
    return ScanSegmentation(str(scan), folder, model, settings, **others)


def labels_in(folder: Path) -> np.ndarray:
    return zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r")["labels/phases/0"][0, 0]


def probabilities_in(folder: Path) -> np.ndarray:
    return zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r")["0"][0, 1:]


def test_all_phases_of_a_scan(
    scan: tuple[Path, np.ndarray], tmp_path: Path, model: TrainedModel, capsys, drawn: None
) -> None:
    path, codes = scan
    segmentation(path, tmp_path, model, formats="tiff, nifti", pixel_size_nm=20.0).run()
    labels = labels_in(tmp_path)[0]
    assert (labels == codes).mean() > 0.999
    for name in ("phases.ome.tif", "phases.nii.gz"):
        read = tifffile.imread(tmp_path / name) if name.endswith("tif") else nib.load(tmp_path / name).dataobj[..., 0].T
        np.testing.assert_array_equal(np.asarray(read), labels)
    summary = json.loads((tmp_path / "phases.json").read_text())
    assert [one["phase"] for one in summary["phases"]] == list(NAMES)
    assert [one["threshold"] for one in summary["phases"]] == [0.4, 0.5, 0.25]
    for number, one in enumerate(summary["phases"], start=1):
        assert one["value"] == number
        assert one["pixels"] == (labels == number).sum()
        assert one["area_fraction"] == pytest.approx((labels == number).mean())
        low, high = one["interval_95"]
        assert low <= one["area_fraction"] <= high
    table = pd.read_csv(tmp_path / "phases.csv").set_index("phase")
    # pores and grains are objects; the clay around them is one, and fills most of the rock
    for number, name, file in ((1, "pore", "pores"), (2, "silt grain", "objects_silt_grain")):
        regions = np.bincount(label(labels == number, connectivity=2).ravel())[1:]
        assert table.objects[name] == (regions >= 4).sum() == len(pd.read_csv(tmp_path / f"{file}.csv"))
        assert pd.read_parquet(tmp_path / f"{file}.parquet").area_px.sum() == regions[regions >= 4].sum()
    assert np.isnan(table.objects["clay"])
    assert "fills" in table.note["clay"]
    assert not list(tmp_path.glob("objects_clay*"))
    # what is known of pores is where it always was
    porosity = json.loads((tmp_path / "porosity.json").read_text())
    assert porosity["porosity"] == pytest.approx(table.area_fraction["pore"], abs=1e-6)
    fields = pd.read_csv(tmp_path / "phase_fields.csv")
    np.testing.assert_allclose(fields[list(NAMES)].sum(axis=1), 1, atol=0.01)
    np.testing.assert_allclose(fields["pore"], pd.read_csv(tmp_path / "porosity_fields.csv")["porosity"])
    page = (tmp_path / "report.html").read_text()
    assert all(word in page for word in ("Silt grain", "Area fraction", "objects_silt_grain.csv", "#E69F00"))
    figures = {file.name for file in (tmp_path / "figures").glob("*.png")}
    assert {"size_distribution.png", "silt_grain_size_distribution.png", "clay_chord_lengths.png"} <= figures
    assert "clay_size_distribution.png" not in figures
    out = capsys.readouterr().out
    assert all(line in out for line in ("porosity 0.", "silt grain 0.", "clay 0."))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["request"]["phases"] == list(NAMES)
    assert manifest["seam_certificate"]["largest"] <= 1 / 255


@pytest.mark.parametrize("network", ["unet", "vlsenet"])
def test_some_phases_are_what_the_network_says_of_them(
    scan: tuple[Path, np.ndarray], tmp_path: Path, network: str
) -> None:
    """Asked for two of three, the probabilities of these are the same to the bit as when all are asked for."""
    own = phases_model(tmp_path, network)
    for name, phases in (("all", None), ("two", "clay, pore")):
        segmentation(scan[0], tmp_path / name, own, phases, report=False, statistics="micrograph").run()
    whole, two = (probabilities_in(tmp_path / name) for name in ("all", "two"))
    assert two.shape[0] == 2
    np.testing.assert_array_equal(two, whole[[0, 2]])
    assert (whole[0] != whole[2]).any()
    assert [one["phase"] for one in json.loads((tmp_path / "two" / "phases.json").read_text())["phases"]] == [
        "pore",
        "clay",
    ]


def test_pore_alone_gives_the_files_of_a_model_of_pores(
    scan: tuple[Path, np.ndarray], tmp_path: Path, model: TrainedModel
) -> None:
    """The same store, to the byte, and the same files as of a model that knows no other phase."""
    known = trained_model(tmp_path)
    alone = dataclasses.replace(known, network=ByGrey((-3.0,)).eval(), thresholds=(0.4,))
    segmentation(scan[0], tmp_path / "asked", model, "pore").run()
    segmentation(scan[0], tmp_path / "alone", alone).run()
    assert files(tmp_path / "asked") == files(tmp_path / "alone")
    listed = [
        sorted(str(file.relative_to(tmp_path / name)) for file in (tmp_path / name).rglob("*"))
        for name in ("asked", "alone")
    ]
    assert listed[0] == listed[1]
    assert not any("phase" in name for name in listed[0])
    for name in ("pores.csv", "porosity.json", "porosity_fields.csv"):
        assert (tmp_path / "asked" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()


def test_a_single_phase_other_than_pore_has_a_report(
    scan: tuple[Path, np.ndarray], tmp_path: Path, model: TrainedModel
) -> None:
    path, codes = scan
    segmentation(path, tmp_path, model, "silt grain").run()
    table = pd.read_csv(tmp_path / "phases.csv").set_index("phase")
    labels = labels_in(tmp_path)[0]
    assert set(np.unique(labels)) == {0, 1}
    assert ((labels == 1) == (codes == 2)).mean() > 0.999
    assert list(table.index) == ["silt grain"]
    assert table.area_fraction["silt grain"] == pytest.approx((labels == 1).mean(), abs=1e-6)
    page = (tmp_path / "report.html").read_text()
    assert "pixels at or above the threshold of 0.5 are silt grain" in page


def test_a_phase_without_objects_is_converted(
    scan: tuple[Path, np.ndarray], tmp_path: Path, model: TrainedModel
) -> None:
    segmentation(scan[0], tmp_path, model, "pore, silt grain", threshold="pore=0.999999").run()
    assert len(pd.read_csv(tmp_path / "pores.csv")) == 0
    assert main(["convert", str(tmp_path), "--formats", "instances,geojson,roi,csv,tiff,nifti"]) == SUCCESS
    assert json.loads((tmp_path / "pores.geojson").read_text())["features"] == []
    assert tifffile.imread(tmp_path / "pores_numbered.ome.tif").max() == 0
    grains = json.loads((tmp_path / "objects_silt_grain.geojson").read_text())["features"]
    assert len(grains) == len(pd.read_csv(tmp_path / "objects_silt_grain.csv")) > 0


def test_slices_without_objects_are_converted(tmp_path: Path, model: TrainedModel) -> None:
    image, _ = made_image()
    slices = [image, np.full_like(image, GREY["clay"]), image]
    tifffile.imwrite(tmp_path / "stack.tif", np.stack(slices), photometric="minisblack")
    segmentation(tmp_path / "stack.tif", tmp_path / "out", model, "pore", stack=True).run()
    assert main(["convert", str(tmp_path / "out"), "--formats", "geojson,roi"]) == SUCCESS
    features = json.loads((tmp_path / "out" / "pores.geojson").read_text())["features"]
    assert len(features) == len(pd.read_csv(tmp_path / "out" / "pores.csv")) > 0


def test_the_same_command_leaves_it_alone_and_other_phases_are_refused(
    scan: tuple[Path, np.ndarray], tmp_path: Path, model: TrainedModel
) -> None:
    segmentation(scan[0], tmp_path, model).run()
    assert segmentation(scan[0], tmp_path, model).run() is None
    with pytest.raises(UserError, match=r'phases was \["pore", "silt grain", "clay"\], now \["silt grain"\]'):
        segmentation(scan[0], tmp_path, model, "silt grain").run()
    with pytest.raises(UserError, match=r"threshold was \[0\.4, 0\.5, 0\.25\], now \[0\.4, 0\.7, 0\.25\]"):
        segmentation(scan[0], tmp_path, model, threshold="silt grain=0.7").run()
    # a table that was removed is written again
    (tmp_path / "objects_silt_grain.csv").unlink()
    assert segmentation(scan[0], tmp_path, model).run() is not None
    assert (tmp_path / "objects_silt_grain.csv").exists()
    segmentation(scan[0], tmp_path, model, "pore", overwrite=True).run()
    assert not list(tmp_path.glob("objects_*")) + list(tmp_path.glob("phase*"))


def test_a_stack_has_fractions_and_connectivity_of_each_phase(tmp_path: Path, model: TrainedModel) -> None:
    """Cylinders through all slices reach both faces: of pores and grains alike."""
    image, codes = made_image()
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([image] * 4), photometric="minisblack")
    segmentation(
        tmp_path / "stack.tif", tmp_path / "out", model, stack=True, pixel_size_nm=10.0, slice_spacing_nm=10.0
    ).run()
    labels = labels_in(tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    for number, name, stem in ((1, "pore", "pores_3d"), (2, "silt grain", "objects_silt_grain_3d")):
        space = manifest["phases"][name]["volume"]["connectivity"]
        assert space["pore_voxels"] == (labels == number).sum()
        assert space["z"]["percolating_share"] == 1
        assert len(pd.read_csv(tmp_path / "out" / f"{stem}.csv")) == space["pores"]
    assert manifest["phases"]["clay"]["objects"] is None
    assert manifest["phases"]["clay"]["volume"]["connectivity"]["largest_share"] > 0.5
    assert (tmp_path / "out" / "figures" / "silt_grain_volume.png").exists()
    table = pd.read_csv(tmp_path / "out" / "phases.csv").set_index("phase")
    assert table.area_fraction["pore"] == pytest.approx((labels == 1).mean(), abs=1e-6)
    assert table.objects_3d["pore"] == label(codes == 1, connectivity=2).max()
    assert "Volume fraction" in (tmp_path / "out" / "report.html").read_text()


def test_a_folder_of_scans_has_columns_for_each_phase(tmp_path: Path, model: TrainedModel) -> None:
    (tmp_path / "scans").mkdir()
    for seed in range(3):
        tifffile.imwrite(tmp_path / "scans" / f"s{seed}.tif", made_image(seed)[0])
    chosen = chosen_phases(model, "silt grain, pore")
    settings = settings_of(
        asked_prompts(chosen),
        (0.5, 0.5),
        phases=chosen,
        report=False,
        **ENGINE,
    )
    uri = f"sqlite:///{tmp_path}/runs.db"
    ScanCommand(str(tmp_path / "scans"), str(tmp_path / "out"), model, settings, None, Ranks(), False, uri).run()
    overall = pd.read_csv(tmp_path / "out" / "scans.csv").iloc[-1]
    table = scans_table(tmp_path / "out").set_index("scan")
    for phase in ("pore", "silt grain"):  # the scans are of one size
        assert overall[phase] == pytest.approx(table[phase].mean(), abs=2e-6)
        assert overall[f"{phase}: interval_95_low"] <= overall[phase]
    for seed in range(3):
        expected = (made_image(seed)[1] == 2).mean()
        assert table["silt grain"][f"s{seed}.tif"] == pytest.approx(expected, abs=0.005)
    import mlflow

    mlflow.set_tracking_uri(uri)
    runs = mlflow.search_runs(search_all_experiments=True)
    assert sorted(runs["metrics.silt grain/area_fraction"]) == pytest.approx(sorted(table["silt grain"]), abs=1e-5)
    assert sorted(runs["metrics.porosity"]) == pytest.approx(sorted(table["pore"]), abs=1e-5)


def test_unknown_phases_are_answered_with_the_known_ones(model: TrainedModel) -> None:
    with pytest.raises(UserError, match=r"--phases silt: .* knows pore, silt grain, clay; did you mean silt grain\?"):
        chosen_phases(model, "pore, silt")
    with pytest.raises(UserError, match="--text_source clip"):
        chosen_phases(model, "pyrite")
    assert chosen_phases(model) == tuple(map(Phase.of, NAMES))
    assert chosen_phases(model, "clay,pore") == (Phase.of("pore"), Phase.of("clay"))


def test_thresholds_that_are_not_given_are_the_models(model: TrainedModel) -> None:
    two = chosen_phases(model, "pore, clay")
    assert model.thresholds_for(model.threshold, two) == (0.4, 0.25)
    assert model.thresholds_for("clay=0.9", two) == (0.4, 0.9)
    assert model.thresholds_for(0.3, two) == (0.3, 0.3)
    with pytest.raises(UserError, match="pyrite"):
        model.thresholds_for("pyrite=0.3", two)
