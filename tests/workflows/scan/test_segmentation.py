from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from PIL import Image
from scipy import ndimage

from pipeline.engine.prediction import ChunkMerger
from pipeline.errors import UserError
from pipeline.images import ImageSource
from pipeline.synthetic import generate
from pipeline.workflows import ScanSegmentation
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan import results
from tests.images.microscope.bars import one_line
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import files, settings_of

#: H, W of the scan, and how wide its rock is: four chunks of 256 px, and as many without rock
SIZE, ROCK = (300, 1000), 420


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rock beside a border of no data."""
    path = tmp_path_factory.mktemp("scan") / "scan.tif"
    image = generate(SIZE, seed=0).image.copy()
    image[:, ROCK:] = 0
    tifffile.imwrite(path, image, tile=(128, 128), compression="zlib")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return trained_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def whole(scan: Path, model: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scan, segmented without an interruption."""
    folder = tmp_path_factory.mktemp("whole")
    segmentation(scan, folder, model).run()
    return folder


def segmentation(scan: Path, folder: Path, model: TrainedModel, **changes: Any) -> ScanSegmentation:
    others = {name: changes.pop(name) for name in ("ranks", "overwrite") if name in changes}
    settings = settings_of(**{"chunk_size": 256, "precision": "float32", "report": False, **changes})
    return ScanSegmentation(str(scan), folder, model, settings, **others)


def interrupted_after(chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    aggregate, left = ChunkMerger.aggregate, iter(range(chunks))

    def broken(self, values, location):
        if next(left, None) is None:
            raise KeyboardInterrupt
        aggregate(self, values, location)

    monkeypatch.setattr(ChunkMerger, "aggregate", broken)


def test_mask_porosity_certificate_and_pictures(
    scan: Path, tmp_path: Path, model: TrainedModel, capsys, drawn: None
) -> None:
    segmentation(scan, tmp_path, model, formats="tiff, nifti", report=True, pixel_size_nm=10.0).run()
    written = zarr.open_group(str(tmp_path / "segmentation.ome.zarr"), mode="r")["0"]
    mask, probability = (np.asarray(written[0, channel, 0]) for channel in (0, 1))
    assert mask.shape == SIZE
    assert set(np.unique(mask)) == {0, 255}
    # the mask is the probability at the threshold, but for the rounding to 8 bit
    assert ((mask > 0) == (probability >= 127.5))[np.abs(probability.astype(int) - 127.5) > 1].all()
    porosity = json.loads((tmp_path / "porosity.json").read_text())
    rock = porosity["rock_pixels"]
    assert SIZE[0] * ROCK - 10 < rock <= SIZE[0] * ROCK  # the empty border is not counted, and a black pixel beside it
    assert porosity["porosity"] == pytest.approx((mask > 0).sum() / rock)
    assert f"{porosity['porosity']:.4f}" in capsys.readouterr().out
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "mask.ome.tif"), mask)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    # the statistics are the scan's and the halo covers the receptive field: nothing shows where it was cut
    assert manifest["seam_certificate"]["largest"] in (0.0, pytest.approx(1 / 255))
    assert manifest["seam_certificate"]["crops"] > 0
    assert manifest["skipped_share"] >= 0
    assert Image.open(tmp_path / "overview.png").size[0] > 500
    assert (tmp_path / "mask.nii.gz").exists()
    table = pd.read_parquet(tmp_path / "pores.parquet")
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())[1:]
    assert len(table) == (areas >= 4).sum() == manifest["pores"]["pores"]
    assert table["area_um2"].sum() == pytest.approx(areas[areas >= 4].sum() * 1e-4)
    assert manifest["pores"]["dropped"] == count - len(table)
    assert "scan.tif" in (tmp_path / "report.html").read_text()
    assert len(list((tmp_path / "figures").glob("*.png"))) > 3


def test_an_interrupted_run_goes_on_to_the_same_bytes(
    scan: Path, whole: Path, tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupted_after(2, patch)
        with pytest.raises(SystemExit):
            segmentation(scan, tmp_path / "parts", model).run()
    assert not (tmp_path / "parts" / "manifest.json").exists()
    with pytest.raises(UserError, match=r"threshold was 0\.5, now 0\.6"):
        segmentation(scan, tmp_path / "parts", model, threshold=0.6).run()
    segmentation(scan, tmp_path / "parts", model).run()
    assert files(tmp_path / "parts") == files(whole)
    assert segmentation(scan, tmp_path / "parts", model).run() is None  # done before
    (tmp_path / "parts" / "journal" / "finished.json").unlink()  # as after a kill behind the last file
    segmentation(scan, tmp_path / "parts", model).run()
    assert files(tmp_path / "parts") == files(whole)
    segmentation(scan, tmp_path / "parts", model, threshold=0.6, overwrite=True).run()
    assert files(tmp_path / "parts") != files(whole)


@pytest.mark.parametrize("removed", [False, True])
def test_a_scan_that_changes_meanwhile_is_not_taken_for_segmented(
    tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch, removed: bool
) -> None:
    scan, aggregate, seen = tmp_path / "scan.tif", ChunkMerger.aggregate, []
    tifffile.imwrite(scan, generate((200, 600), seed=0).image)

    def changing(self, values, location):
        if len(seen) == 2 and not removed:
            tifffile.imwrite(scan, generate((200, 600), seed=1).image)
        aggregate(self, values, location)
        seen.append(location)
        if removed and len(seen) == 3:
            scan.unlink()

    monkeypatch.setattr(ChunkMerger, "aggregate", changing)
    told = r"scan\.tif: the file is gone" if removed else r"it changed while .*SHA-256\) was .*--overwrite"
    with pytest.raises(UserError, match=told):
        segmentation(scan, tmp_path / "out", model).run()
    assert not {"manifest.json", "porosity.json", "overview.png"} & {path.name for path in (tmp_path / "out").iterdir()}


def test_fields_lie_where_they_are_in_the_scan(scan: Path, tmp_path: Path, model: TrainedModel) -> None:
    segmentation(scan, tmp_path, model, roi="20,30,390,260").run()
    mask = np.asarray(zarr.open_group(str(tmp_path / "segmentation.ome.zarr"), mode="r")["0"])[0, 0, 0] > 0
    fields = pd.read_csv(tmp_path / "porosity_fields.csv")
    assert (fields["y_px"].min(), fields["x_px"].min()) == (30, 20)
    for field in fields.itertuples():
        y, x = field.y_px - 30, field.x_px - 20
        seen = mask[y : y + field.height_px, x : x + field.width_px]
        assert seen.shape == (field.height_px, field.width_px)  # those at the border are cut off
        assert field.rock_px == seen.size
        assert field.porosity == pytest.approx(seen.mean(), abs=1e-6)
    assert fields["rock_px"].sum() == 390 * 260


def test_pictures_show_rock_beside_ground_of_any_value(
    tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = generate((200, 800), seed=0).image.astype(np.float32)
    image[:, 512:] = -9999
    tifffile.imwrite(tmp_path / "scan.tif", image)
    seen = []

    def look(path: Path, source: ImageSource, *_: Any, **__: Any) -> None:
        seen.append(source.read(0, 0, *source.shape))
        path.touch()

    monkeypatch.setattr(results, "write_overview", look)
    segmentation(tmp_path / "scan.tif", tmp_path / "out", model).run()
    np.testing.assert_array_equal(seen[0][:, :512], image[:, :512])
    assert (seen[0][:, 512:] == image[:, :512].min()).all()


def test_what_a_killed_run_had_begun_is_removed(scan: Path, tmp_path: Path, model: TrainedModel) -> None:
    begun = [".mask.ome-abe693eb2196.tif", ".overview-ee9f0873dee6.png", ".labels-i7327k1i", ".pores-0123.csv"]
    for name in [*begun, ".mine.tif"]:
        (tmp_path / name).mkdir() if name.startswith(".labels") else (tmp_path / name).write_text("half")
    segmentation(scan, tmp_path, model, roi="0,0,100,100").run()
    assert [path.name for path in tmp_path.glob(".*")] == [".mine.tif"]


def test_a_manifest_of_something_else_is_left_alone(scan: Path, tmp_path: Path, model: TrainedModel) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="not written by a scan's segmentation"):
        segmentation(scan, foreign, model).run()
    assert [file.name for file in foreign.iterdir()] == ["manifest.json"]


def test_a_full_disk_keeps_what_is_done(
    scan: Path, whole: Path, tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace
    for room in (3, 9, 12):  # before the chunks, in them and in the pyramid
        left = iter(range(room))

        def full(source: Any, target: Any, left=left) -> None:
            if "segmentation.ome.zarr" in str(target) and next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", full)
            with pytest.raises(UserError, match=r"no space left.*run the same command again"):
                segmentation(scan, tmp_path / "parts", model).run()
        assert not (tmp_path / "parts" / "manifest.json").exists()
    segmentation(scan, tmp_path / "parts", model).run()
    assert files(tmp_path / "parts") == files(whole)


def test_a_model_of_colour_images_is_refused(scan: Path, tmp_path: Path, model: TrainedModel) -> None:
    colour = dataclasses.replace(model, network_settings={**model.network_settings, "in_channels": 3})
    with pytest.raises(UserError, match="3 channels"):
        segmentation(scan, tmp_path, colour).run()
    assert not list(tmp_path.iterdir())


def test_a_region_is_the_same_part_of_the_whole_scan(
    scan: Path, whole: Path, tmp_path: Path, model: TrainedModel
) -> None:
    segmentation(scan, tmp_path, model, roi="112,96,300,200").run()
    part, all_of_it = (levels(folder, 1).astype(int) for folder in (tmp_path, whole))
    assert part.shape == (200, 300)
    assert np.abs(part - all_of_it[96:296, 112:412]).max() <= 1


@pytest.mark.parametrize("statistics", ["network", "micrograph"])
def test_what_statistics_of_each_window_do_to_seams(
    scan: Path, tmp_path: Path, model: TrainedModel, statistics: str
) -> None:
    segmentation(scan, tmp_path, model, statistics=statistics, skip_empty=False, roi="0,0,500,300").run()
    largest = json.loads((tmp_path / "manifest.json").read_text())["seam_certificate"]["largest"]
    assert largest > 5 / 255 if statistics == "network" else largest < 1.01 / 255


def test_bad_scans_are_told(tmp_path: Path, model: TrainedModel) -> None:
    constant = tmp_path / "constant.png"
    Image.fromarray(np.full((64, 64), 9, np.uint8)).save(constant)
    with pytest.raises(UserError, match="constant"):
        segmentation(constant, tmp_path / "a", model).run()
    with pytest.raises(UserError, match="roi"):
        segmentation(constant, tmp_path / "b", model, roi="0,0,100,100").run()


def levels(folder: Path, channel: int) -> np.ndarray:
    """The finest level of a channel of the only slice, (H, W)."""
    return np.asarray(zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r")["0"][0, channel, 0])


@pytest.mark.parametrize("rows", [300, 256])
def test_an_info_bar_is_never_rock(tmp_path: Path, model: TrainedModel, rows: int) -> None:
    """The mask keeps the image's size; the rock above is segmented as if there were no bar."""
    rock = generate((rows, 200), seed=1).image
    bar = np.zeros((40, 200), np.uint8)
    bar[10:30:2, ::3] = 255
    with_bar, without = tmp_path / "bar.png", tmp_path / "rock.png"
    Image.fromarray(np.concatenate([rock, bar])).save(with_bar)
    Image.fromarray(rock).save(without)
    segmentation(with_bar, tmp_path / "a", model, info_bar=40, report=True).run()
    table = pd.read_parquet(tmp_path / "a" / "pores.parquet")
    at_the_bar = table["bbox_y_px"] + table["bbox_height_px"] == rows
    assert table["touches_border"][at_the_bar].all()
    segmentation(without, tmp_path / "b", model, info_bar="keep").run()
    for channel in (0, 1):
        answer = levels(tmp_path / "a", channel)
        assert answer.shape == (rows + 40, 200)
        assert not answer[rows:].any()
        np.testing.assert_array_equal(answer[:rows], levels(tmp_path / "b", channel))
    first, second = (json.loads((tmp_path / name / "porosity.json").read_text()) for name in "ab")
    assert first["rock_pixels"] == second["rock_pixels"] == rows * 200
    assert first["porosity"] == second["porosity"]


def test_a_bar_on_top_is_never_rock(tmp_path: Path, model: TrainedModel) -> None:
    """Pores lie where the file has them, and those at the bar are cut by the border."""
    rock = generate((300, 250), seed=1).image
    Image.fromarray(np.concatenate([one_line(40, 250, 0, 255), rock])).save(tmp_path / "bar.png")
    Image.fromarray(rock).save(tmp_path / "rock.png")
    segmentation(tmp_path / "bar.png", tmp_path / "a", model, info_bar="auto", report=True).run()
    segmentation(tmp_path / "rock.png", tmp_path / "b", model, info_bar="keep").run()
    for channel in (0, 1):
        answer = levels(tmp_path / "a", channel)
        assert answer.shape == (340, 250)
        assert not answer[:40].any()
    barred, plain = (json.loads((tmp_path / name / "porosity.json").read_text()) for name in "ab")
    assert barred["rock_pixels"] == plain["rock_pixels"] == 300 * 250
    assert barred["porosity"] == pytest.approx(plain["porosity"], abs=0.05)  # the network sees another grid
    table = pd.read_parquet(tmp_path / "a" / "pores.parquet")
    assert table["bbox_y_px"].min() >= 40
    assert table["touches_border"][table["bbox_y_px"] == 40].all()


def test_a_pixel_size_is_added_to_a_finished_segmentation(
    tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the network, as it would see the same; tables, report, store and manifest have it then."""
    image, out = tmp_path / "a.png", tmp_path / "out"
    Image.fromarray(generate((160, 200), seed=4).image).save(image)
    segmentation(image, out, model, report=True).run()
    before = levels(out, 1)
    monkeypatch.setattr("pipeline.workflows.scan.segmentation.write_chunks", lambda *a: a[4] and pytest.fail("network"))
    segmentation(image, out, model, report=True, pixel_size_nm=12.5).run()
    np.testing.assert_array_equal(levels(out, 1), before)
    assert json.loads((out / "manifest.json").read_text())["pixel_size_nm"] == 12.5
    assert json.loads((out / "porosity.json").read_text())["pixel_size_nm"] == 12.5
    assert any(name.endswith("_um2") for name in pd.read_parquet(out / "pores.parquet"))
    scales = zarr.open_group(str(out / "segmentation.ome.zarr"), mode="r").attrs["multiscales"][0]["datasets"]
    assert scales[0]["coordinateTransformations"][0]["scale"][-1] == 12.5
    assert segmentation(image, out, model, report=True, pixel_size_nm=12.5).run() is None
    assert segmentation(image, out, model, report=True).run() is None


def test_a_pixel_size_that_changes_the_scale_needs_the_network(tmp_path: Path, model: TrainedModel) -> None:
    image, out = tmp_path / "a.png", tmp_path / "out"
    Image.fromarray(generate((160, 200), seed=4).image).save(image)
    knowing = dataclasses.replace(model, data={**model.data, "pixel_sizes_nm": [20.0]})
    segmentation(image, out, knowing).run()
    with pytest.raises(UserError, match=r"sees the scan 0.5x0.5 times as large, .* 1x1 times: .* --overwrite"):
        segmentation(image, out, knowing, pixel_size_nm=10.0).run()
    segmentation(image, out, knowing, pixel_size_nm=20.0).run()
    assert json.loads((out / "manifest.json").read_text())["pixel_size_nm"] == 20


def test_bright_pores_are_found_in_an_inverted_scan(tmp_path: Path, model: TrainedModel) -> None:
    image = generate((160, 200), seed=4).image
    for name, pixels in (("a", image), ("b", 255 - image)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        segmentation(tmp_path / f"{name}.png", tmp_path / name, model, invert=name == "b").run()
    np.testing.assert_array_equal(levels(tmp_path / "a", 1), levels(tmp_path / "b", 1))


def test_a_scan_of_another_pixel_size_is_seen_at_the_models(tmp_path: Path, model: TrainedModel) -> None:
    """A scan enlarged twice, said to have pixels of half the size, gets the enlarged answer."""
    # smooth, so that enlarging and shrinking lose nothing
    small = ndimage.gaussian_filter(generate((160, 200), seed=2).image, 2)
    large = np.asarray(Image.fromarray(small).resize((400, 320), Image.Resampling.BILINEAR))
    for name, image in (("small", small), ("large", large)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    knowing = dataclasses.replace(model, data={**model.data, "pixel_sizes_nm": [20.0, 22.0]})
    segmentation(tmp_path / "small.png", tmp_path / "a", knowing, pixel_size_nm=20.0).run()
    segmentation(tmp_path / "large.png", tmp_path / "b", knowing, pixel_size_nm=10.0).run()
    segmentation(tmp_path / "large.png", tmp_path / "c", knowing, pixel_size_nm=10.0, rescale=False).run()
    expected = np.asarray(Image.fromarray(levels(tmp_path / "a", 1)).resize((400, 320), Image.Resampling.BILINEAR))
    resampled, as_it_is = (np.abs(levels(tmp_path / name, 1) - expected.astype(float)).mean() for name in "bc")
    assert resampled < 0.3 * as_it_is
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert manifest["request"]["scale"] == [0.5, 0.5]
    assert manifest["pixel_size_nm"] == 10
    assert manifest["seam_certificate"]["largest"] < 1.01 / 255


def test_an_icon_among_the_scans_is_refused_before_anything_is_written(tmp_path: Path, model: TrainedModel) -> None:
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(tmp_path / "icon.png")
    with pytest.raises(UserError, match=r"icon\.png: it has 12 x 12 pixels"):
        segmentation(tmp_path / "icon.png", tmp_path / "out", model).run()
    assert not (tmp_path / "out").exists()
