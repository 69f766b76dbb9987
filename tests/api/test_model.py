"""Arrays and files through the API, against the command and against independent counts."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import zarr
from scipy import ndimage

import pipeline as vlsenet
from pipeline.cli.main import main
from pipeline.engine import MemoryStore
from pipeline.errors import SUCCESS
from pipeline.synthetic import generate
from tests.workflows.export.cases import write_checkpoint
from tests.workflows.scan.phase_models import NAMES, phases_model

OPTIONS: dict[str, Any] = {"chunk_size": 256, "precision": "float32", "pixel_size_nm": 10.0}


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Rock (300, 420) beside a border without data."""
    pixels = generate((300, 420), seed=0).image.copy()
    pixels[:, 350:] = 0
    return pixels


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> vlsenet.Model:
    folder = tmp_path_factory.mktemp("model")
    write_checkpoint(folder / "best.pt")
    return vlsenet.load(folder / "best.pt", device="cpu")


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory, image: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("scan") / "scan.tif"
    tifffile.imwrite(path, image)
    return path


@pytest.fixture(scope="module")
def found(model: vlsenet.Model, image: np.ndarray) -> vlsenet.Segmentation:
    return model.predict(image, **OPTIONS)


def test_the_same_bytes_as_the_command(
    tmp_path: Path, model: vlsenet.Model, scan: Path, found: vlsenet.Segmentation, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["segment", str(scan), "--checkpoint", str(model.path), "--output_dir", str(tmp_path / "out")]
    further = ["--pixel_size_nm", "10", "--set", "chunk_size=256", "--set", "precision=float32", "--device", "cpu"]
    assert main([*words, *further]) == SUCCESS
    stored = tmp_path / "out" / "segmentation.ome.zarr"
    written = np.asarray(zarr.open_group(str(stored), mode="r")["0"][0, :, 0])
    table = pd.read_parquet(tmp_path / "out" / "pores.parquet")
    capsys.readouterr()
    in_file = model.segment(scan, **OPTIONS)
    read = model.segment(scan, output_dir=tmp_path / "out", **OPTIONS)  # finished: it is read
    assert capsys.readouterr().out == ""
    assert read.folder == tmp_path / "out"
    for one in (found, in_file, read):
        np.testing.assert_array_equal(one.mask, written[0] > 0)
        np.testing.assert_array_equal(np.rint(one.probability * 255), written[1])
        np.testing.assert_array_equal(one.lazy_mask, written[0])
        pd.testing.assert_frame_equal(one.pores, table)
        assert one.interval == pytest.approx(found.interval)
    store = found._scan.store
    assert isinstance(store, MemoryStore)
    for file, chunk in store._chunks.items():
        assert (stored / file.relative_to(store.path)).read_bytes() == chunk


def test_numbers_against_independent_ones(found: vlsenet.Segmentation) -> None:
    assert found.mask.shape == found.probability.shape == found.shape == (300, 420)
    assert not found.mask[:, 352:].any()
    labels, _ = ndimage.label(found.mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())[1:]
    assert sorted(found.pores["area_px"]) == sorted(areas[areas >= 4])
    assert found.porosity == pytest.approx(found.mask.sum() / found.phases["pore"].summary()["rock_px"])
    assert found.fractions == {"pore": found.porosity}


def test_batches_and_tensors_give_what_each_image_gives(
    model: vlsenet.Model, image: np.ndarray, found: vlsenet.Segmentation
) -> None:
    other = np.ascontiguousarray(image[:, ::-1])
    first, second = model.predict_batch(torch.from_numpy(np.stack([image, other]))[:, None], **OPTIONS)
    np.testing.assert_array_equal(first.probability, found.probability)
    np.testing.assert_array_equal(second.probability, model.predict(other, **OPTIONS).probability)
    both = model.predict_batch([image, image[:200]], **OPTIONS)
    assert [one.shape for one in both] == [(300, 420), (200, 420)]


def test_a_stack(model: vlsenet.Model, image: np.ndarray, tmp_path: Path) -> None:
    slices = np.stack([image[:128, :160], image[20:148, :160], image[40:168, :160]])
    found = model.predict(slices, stack=True, slice_spacing_nm=20.0, **OPTIONS)
    assert found.mask.shape == found.probability.shape == (3, 128, 160)
    _, bodies = ndimage.label(found.mask, np.ones((3, 3, 3)))
    assert len(found.pores_3d) == bodies
    assert found.pores_3d["volume_um3"].sum() == pytest.approx(found.mask.sum() * 10 * 10 * 20 / 1e9)
    assert set(found.pores["slice"]) <= {0, 1, 2}
    np.testing.assert_array_equal(found.lazy_mask[1, 10:50, ::-2] > 0, found.mask[1, 10:50, ::-2])
    for number, pixels in enumerate(slices):
        tifffile.imwrite(tmp_path / f"slice_{number}.tif", pixels)
    from_files = model.segment(tmp_path, stack=True, slice_spacing_nm=20.0, **OPTIONS)
    np.testing.assert_array_equal(from_files.mask, found.mask)
    with pytest.raises(vlsenet.UserError, match="give stack=True if it is one volume, or use segment_folder"):
        model.segment(tmp_path)
    each = model.segment_folder(tmp_path, **OPTIONS)
    assert list(each) == ["slice_0.tif", "slice_1.tif", "slice_2.tif"]


def test_several_phases_have_what_they_are_of(tmp_path: Path, image: np.ndarray) -> None:
    phases_model(tmp_path)
    model = vlsenet.load(tmp_path, device="cpu")
    assert model.phases == NAMES
    found = model.predict(image, chunk_size=256, precision="float32")
    assert list(found.phases) == list(NAMES)
    assert found.mask.dtype == np.uint8
    assert found.probability.shape == (3, *image.shape)
    for number, name in enumerate(NAMES, start=1):
        np.testing.assert_array_equal(found[name].mask, found.mask == number)
        assert found.fractions[name] == found[name].fraction
    assert found.porosity == found["pore"].fraction
    with pytest.raises(vlsenet.UserError, match="clay is no pore"):
        _ = found["clay"].porosity
    only = model.predict(image, chunk_size=256, precision="float32", phases="clay", threshold=0.3)
    with pytest.raises(vlsenet.UserError, match="no phase 'pore' was asked for; there is clay"):
        _ = only.porosity
    assert "silt grain" in found._repr_html_()


def test_a_notebook_shows_picture_and_numbers_and_the_report_is_written_where_asked(
    found: vlsenet.Segmentation, tmp_path: Path
) -> None:
    html = found._repr_html_()
    assert html.count("<img") == 2
    assert "data:image/webp;base64," in html
    assert "Porosity" in html
    assert "image" in repr(found)
    found.write_report(tmp_path / "page.html")
    assert "Porosity" in (tmp_path / "page.html").read_text()


def test_bundles_folders_and_what_is_no_model(model: vlsenet.Model, tmp_path: Path, image: np.ndarray) -> None:
    training = tmp_path / "run" / "checkpoints"
    training.mkdir(parents=True)
    shutil.copy(model.path, training / "best.pt")
    assert vlsenet.load(tmp_path / "run").path == training / "best.pt"
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as bundle:
        bundle.write(model.path, "vlsenet/models/model.pt")
    zipped = vlsenet.load(tmp_path / "bundle.zip", device="cpu")
    assert zipped.path == tmp_path / "bundle.zip" / "vlsenet" / "models" / "model.pt"
    (tmp_path / "empty").mkdir()
    with pytest.raises(vlsenet.UserError, match=r"empty: no model in this folder .*; give the model's file"):
        vlsenet.load(tmp_path / "empty")
    with pytest.raises(vlsenet.UserError, match="no such file"):
        vlsenet.load(tmp_path / "none.pt")


def test_mistakes_name_the_argument(model: vlsenet.Model, image: np.ndarray, tmp_path: Path) -> None:
    for options, message in (
        ({"pixelsize": 10}, "unknown argument pixelsize; did you mean pixel_size_nm"),
        ({"threshold": 2.0}, "threshold"),
        ({"pixel_size_nm": -1}, "pixel_size_nm=-1: give"),
        ({"phases": "clay"}, "phases=clay|phases clay"),
    ):
        with pytest.raises(vlsenet.UserError, match=message) as caught:
            model.predict(image, **options)
        assert "--" not in str(caught.value).replace("vlsenet train", "")[:60]
    with pytest.raises(vlsenet.UserError, match=r"the shape \(300, 420, 3\): give \(H, W\), or several"):
        model.predict(np.repeat(image[..., None], 3, axis=2))
    tifffile.imwrite(tmp_path / "two.tif", np.stack([image, image]), photometric="minisblack")
    with pytest.raises(vlsenet.FileProblem, match="stack=True"):
        model.segment(tmp_path / "two.tif")


def test_wrong_things_in_place_of_paths_arrays_and_devices(
    model: vlsenet.Model, image: np.ndarray, scan: Path, found: vlsenet.Segmentation, tmp_path: Path
) -> None:
    for call, message in (
        (lambda: vlsenet.load(model.path, device="quark"), "device=quark: unknown device"),
        (lambda: vlsenet.load(model.path, device="cuda:99"), "device=cuda:99: PyTorch finds"),
        (lambda: vlsenet.load(3), "path of a model"),
        (lambda: model.segment(image), "not ndarray; give arrays to predict"),
        (lambda: model.segment(scan, output_dir=""), "output_dir is empty"),
        (lambda: model.segment_folder(tmp_path / "none"), "none: no such folder"),
        (lambda: model.segment_folder(scan), "no such folder of scans"),
        (lambda: model.predict(np.ma.masked_greater(image, 100)), "masked pixels"),
        (lambda: found.write_report(tmp_path), "cannot write .*directory"),
    ):
        with pytest.raises(vlsenet.UserError, match=message):
            call()
    for index in (found.mask, 1.5):
        with pytest.raises(IndexError, match="integers and slices"):
            found.lazy_mask[index]


def state() -> dict[str, Any]:
    """What a library must leave as it is."""
    root, logger = logging.getLogger(), logging.getLogger("vlsenet")
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "logging": [(log.level, tuple(log.handlers), log.propagate, log.disabled) for log in (root, logger)],
        "warnings": list(warnings.filters),
        "hooks": (sys.excepthook, sys.displayhook, signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
        "seeds": (random.getstate(), str(np.random.get_state()), torch.get_rng_state().numpy().tobytes()),
        "torch": (
            torch.is_grad_enabled(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark,
        ),
        "streams": (sys.stdout, sys.stderr),
        "matplotlib": dict(mpl.rcParams),
    }


def test_nothing_else_changes_and_nothing_is_written(
    model: vlsenet.Model,
    scan: Path,
    image: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    before = state()
    again = vlsenet.load(model.path)
    found = again.predict(image, **OPTIONS)
    again.segment(scan, **OPTIONS)
    _ = found.pores, found._repr_html_(), found.phases["pore"].summary()
    vlsenet.measure(found.mask).summary()
    after = state()
    for name, value in before.items():
        assert after[name] == value, name
    assert [path.name for path in tmp_path.rglob("*")] == ["temporary"]
    assert sorted(path.name for path in scan.parent.iterdir()) == ["scan.tif"]
    captured = capfd.readouterr()
    assert "px/s" not in captured.err
    assert captured.out == ""
    again.predict(image, progress=True, **OPTIONS)
    assert "segmenting" in capfd.readouterr().err
