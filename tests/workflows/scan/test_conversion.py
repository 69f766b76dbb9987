"""Other forms of a finished segmentation, against its mask and table."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from skimage.draw import disk, polygon
from skimage.measure import label

from pipeline.cli.main import main
from pipeline.engine import Journal, TakenError
from pipeline.errors import MISTAKE, SUCCESS
from pipeline.files import write_error
from pipeline.report import PLOTS
from pipeline.report.figure_data import TABLES
from pipeline.workflows import ScanSegmentation
from pipeline.workflows.scan.results import result_files
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import settings_of
from tests.workflows.scan.phase_models import ByGrey

SHAPE = (200, 230)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmented region of a scan with dark pores, one of them a ring, touching at corners and small ones."""
    folder = tmp_path_factory.mktemp("converted")
    image = np.full((220, 250), 200, np.uint8)
    for y, x, radius in ((40, 50, 20), (100, 60, 9), (150, 150, 30), (60, 180, 5), (12, 12, 10)):
        image[disk((y, x), radius)] = 30
    image[disk((150, 150), 15)] = 200
    image[disk((150, 150), 6)] = 30  # a pore in the hole of another
    for x, radius in enumerate((3, 4, 5, 6, 7, 8)):  # enough for a distribution of sizes
        image[disk((20, 80 + 25 * x), radius)] = 30
    image[180:183, 40:43] = image[183:186, 43:46] = 30
    image[190, 20:22] = 30
    tifffile.imwrite(folder / "scan.tif", image + np.random.default_rng(0).integers(0, 9, image.shape).astype(np.uint8))
    model = trained_model(folder)
    model = model.__class__(**{**vars(model), "network": ByGrey((-3.7,)).eval()})
    engine = {"chunk_size": 256, "halo": 32, "statistics": "network", "flatten_shading": False, "skip_empty": False}
    settings = settings_of(**engine, roi="10,5,230,200", pixel_size_nm=20.0, info_bar="keep", threshold=0.5)
    ScanSegmentation(str(folder / "scan.tif"), folder / "pores", model, settings).run()
    return folder / "pores"


def mask_of(result: Path) -> np.ndarray:
    return zarr.open_group(str(result / "segmentation.ome.zarr"), mode="r")["0"][0, 0, 0]


def numbers_of(result: Path) -> np.ndarray:
    """The numbers of the table, by scikit-image: in the order of the first pixels, without what is too small."""
    found = label(mask_of(result) != 0, connectivity=2)
    small = np.bincount(found.ravel()) < 4
    small[0] = False
    found[small[found]] = 0
    return np.unique(found, return_inverse=True)[1].reshape(found.shape)


def converted(result: Path, folder: Path, *options: str) -> Path:
    assert main(["convert", str(result), "--output_dir", str(folder), *options]) == SUCCESS
    return folder


def test_numbered_objects_are_the_rows_of_the_table(result: Path, tmp_path: Path) -> None:
    converted(result, tmp_path, "--formats", "instances")
    with tifffile.TiffFile(tmp_path / "pores_numbered.ome.tif") as file:
        numbers = file.asarray()
        assert 'PhysicalSizeX="20.0"' in file.ome_metadata
    assert numbers.dtype == np.uint16
    np.testing.assert_array_equal(numbers, numbers_of(result))
    table = pd.read_csv(result / "pores.csv")
    assert len(table) == 13
    np.testing.assert_array_equal(np.bincount(numbers.ravel())[table["pore"]], table["area_px"])


def burnt(rings: list[np.ndarray]) -> np.ndarray:
    """The pixels whose centres the rings hold (even-odd), in the region of the segmentation."""
    inside = np.zeros(SHAPE, bool)
    for ring in rings:
        x, y = np.array(ring).T - np.array([[10], [5]]) - 0.5
        inside[polygon(y, x, SHAPE)] ^= True
    return inside


def test_outlines_hold_exactly_the_pixels_of_their_pores(result: Path, tmp_path: Path) -> None:
    converted(result, tmp_path, "--formats", "geojson", "--tolerance", "0")
    numbers = numbers_of(result)
    features = json.loads((tmp_path / "pores.geojson").read_text())["features"]
    assert [one["properties"]["name"] for one in features] == [f"pore {number}" for number in range(1, 14)]
    assert features[0]["properties"]["classification"] == {"name": "pore", "color": [230, 159, 0]}
    for number, feature in enumerate(features, start=1):
        np.testing.assert_array_equal(burnt(feature["geometry"]["coordinates"]), numbers == number)
    assert sorted(len(one["geometry"]["coordinates"]) for one in features) == [1] * 12 + [2]


def test_simplified_outlines_have_few_corners_and_keep_the_area(result: Path, tmp_path: Path) -> None:
    converted(result, tmp_path, "--formats", "geojson", "--most_outlines", "2")
    features = json.loads((tmp_path / "pores.geojson").read_text())["features"]
    areas = pd.read_csv(result / "pores.csv").set_index("pore")["area_px"]
    assert {one["properties"]["name"] for one in features} == {f"pore {number}" for number in areas.nlargest(2).index}
    for feature in features:
        number = int(feature["properties"]["name"].split()[1])
        corners = sum(map(len, feature["geometry"]["coordinates"]))
        assert corners < 0.5 * np.sqrt(areas[number]) * 6
        assert burnt(feature["geometry"]["coordinates"]).sum() == pytest.approx(areas[number], rel=0.05)


def test_rois_are_the_same_outlines(result: Path, tmp_path: Path) -> None:
    roifile = pytest.importorskip("roifile", reason="needs roifile")
    converted(result, tmp_path, "--formats", "roi,geojson", "--tolerance", "0")
    rois = roifile.roiread(tmp_path / "pores_rois.zip")
    features = json.loads((tmp_path / "pores.geojson").read_text())["features"]
    assert [roi.name for roi in rois] == [one["properties"]["name"] for one in features]
    numbers = numbers_of(result)
    for number, roi in enumerate(rois, start=1):
        np.testing.assert_array_equal(burnt(roi.coordinates(multi=True)), numbers == number)


def test_the_mask_is_what_a_segmentation_writes(result: Path, tmp_path: Path) -> None:
    converted(result, tmp_path, "--formats", "tiff,nifti")
    mask = mask_of(result)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "mask.ome.tif"), mask)
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "mask.nii.gz").dataobj)[..., 0].T, mask)


def test_a_corrected_mask_is_not_replaced(result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # as it was written, it may be written again
        converted(result, tmp_path, "--formats", "tiff,nifti")
    path = tmp_path / "mask.ome.tif"
    corrected = tifffile.imread(path)
    corrected[:9, :9] = 1
    tifffile.imwrite(path, corrected)
    assert main(["convert", str(result), "--formats", "tiff", "--output_dir", str(tmp_path)]) == MISTAKE
    assert f"{path} is not as it was written, and may have been corrected" in capsys.readouterr().err
    np.testing.assert_array_equal(tifffile.imread(path), corrected)


def test_the_figures_data(result: Path, tmp_path: Path) -> None:
    converted(result, tmp_path, "--formats", "csv")
    tables = {file.stem: pd.read_csv(file) for file in (tmp_path / "figures").glob("*.csv")}
    drawn = {file.stem for file in (result / "figures").glob("*.png")}
    assert set(TABLES) == set(PLOTS)
    assert drawn <= set(tables)
    mask, pores = mask_of(result) != 0, pd.read_csv(result / "pores.csv")
    s2 = tables["two_point_correlation"]
    assert s2["distance_nm"].iloc[1] == 20
    assert s2["s2_along_x"].iloc[0] == pytest.approx(mask.mean(), abs=1e-3)
    assert s2["s2_along_y"].iloc[1] == pytest.approx((mask[1:] & mask[:-1]).mean(), abs=0.01)
    sizes = tables["size_distribution"].set_index("what")
    whole = pores[~pores["touches_border"]]["equivalent_diameter_um"] * 1000
    assert sizes.loc["D50", "by_number_nm"] == pytest.approx(np.sort(whole)[(len(whole) - 1) // 2], rel=1e-5)
    assert sizes.loc["bin", "share_by_number"].sum() == pytest.approx(1)
    # each whole pore for as many of its size as the border lets be seen, or cuts
    inside, (high, wide) = pores[~pores["touches_border"]].sort_values("equivalent_diameter_um"), mask.shape
    weights = 1 / ((high - inside["bbox_height_px"] - 1) * (wide - inside["bbox_width_px"] - 1))
    middle = np.searchsorted(weights.cumsum(), weights.sum() / 2)
    expected = inside["equivalent_diameter_um"].iloc[middle] * 1000
    assert sizes.loc["D50", "by_number_corrected_nm"] == pytest.approx(expected, rel=1e-5)
    assert sizes.loc["bin", "share_by_area_corrected"].sum() == pytest.approx(1)
    threshold = tables["threshold"].set_index("threshold")["porosity"]
    assert threshold[threshold.index >= 0.5].iloc[0] == pytest.approx(mask.mean(), abs=1e-3)


def test_it_needs_a_finished_segmentation(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs" / "a").mkdir(parents=True)
    (tmp_path / "runs" / "a" / "manifest.json").write_text("{}")
    for folder, told in (
        (tmp_path / "none", "no such folder"),
        (tmp_path, "it holds no segmentation"),
        (tmp_path / "runs", "results of several scans; give one of them, such as"),
    ):
        assert main(["convert", str(folder), "--formats", "tiff"]) == MISTAKE
        assert told in capsys.readouterr().err
    monkeypatch.setattr(Journal, "finished_in", lambda folder: None)
    assert main(["convert", str(result), "--formats", "tiff"]) == MISTAKE
    assert "not finished; run vlsenet segment again" in capsys.readouterr().err
    assert main(["convert", str(result), "--formats", "jpeg"]) == MISTAKE
    assert "give one or more of tiff, nifti, instances" in capsys.readouterr().err


def test_a_segmentation_that_is_written_is_not_read_and_one_that_is_read_is_not_written(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pores = tmp_path / "pores"
    shutil.copytree(result, pores)
    journal = pores / "journal"
    with Journal.join(journal, 0):
        assert main(["convert", str(pores), "--formats", "tiff"]) == MISTAKE
        assert "another process is segmenting into it: wait for it, or stop it" in capsys.readouterr().err
    request = Journal.request_in(journal) or {}
    with (
        Journal.reading(journal),
        Journal.reading(journal),
        pytest.raises(TakenError, match="writing or reading this segmentation"),
    ):
        Journal.open(journal, request, overwrite=True)
    assert main(["convert", str(pores), "--formats", "tiff"]) == SUCCESS


def test_a_full_disk_is_told_with_the_name_that_the_user_knows(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: object, path: Path, **_: object) -> None:
        raise write_error(path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    monkeypatch.setattr("pipeline.workflows.scan.conversion.export_tiff", full)
    assert main(["convert", str(result), "--output_dir", str(tmp_path), "--formats", "tiff"]) == MISTAKE
    assert capsys.readouterr().err.startswith(f"error: no space left on the disk to write {tmp_path / 'mask.ome.tif'};")
    assert list(tmp_path.iterdir()) == []


def test_a_new_segmentation_removes_what_was_converted(result: Path, tmp_path: Path) -> None:
    converted(result, tmp_path, "--formats", "instances,geojson,csv")
    made = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert made <= set(result_files(tmp_path))
