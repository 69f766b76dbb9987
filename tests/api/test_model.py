"""Arrays and files through the API, against the command and against independent counts."""

from __future__ import annotations

import logging
import os
import pickle
import random
import signal
import sys
import warnings
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
from tests.workflows.scan.phase_models import NAMES, phases_model

OPTIONS: dict[str, Any] = {"chunk_size": 256, "precision": "float32", "pixel_size_nm": 10.0}


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
    assert found.mask.shape == found.probability.shape == found.shape == (270, 300)
    assert not found.mask[:, 242:].any()
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
    assert [one.shape for one in both] == [(270, 300), (200, 300)]


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
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(vlsenet.UserError, match=r"page\.html is there already; .* overwrite=True"):
        found.write_report(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "mine"
    found.write_report(tmp_path / "page.html", overwrite=True)
    assert "Porosity" in (tmp_path / "page.html").read_text()


def test_mistakes_name_the_argument(model: vlsenet.Model, image: np.ndarray, tmp_path: Path) -> None:
    for options, message in (
        ({"pixelsize": 10}, "unknown argument pixelsize; did you mean pixel_size_nm"),
        ({"threshold": 2.0}, "threshold"),
        ({"pixel_size_nm": -1}, "pixel_size_nm=-1: give"),
        ({"phases": "clay"}, "phases=clay|phases clay"),
        ({"phases": []}, r"phases \[\]: give names, such as 'pore'"),
        ({"phases": 3}, "phases=3: give names, such as 'pore'"),
        ({"invert": "yes"}, "^invert='yes': must be True or False$"),
        ({"pixel_size_nm": "10"}, "^pixel_size_nm='10': give a number between"),
        ({"pixel_size_nm": True}, "^pixel_size_nm=True: give a number between"),
        ({"threshold": [0.4]}, r"^threshold=\[0.4\]: give a number between 0 and 1"),
        ({"prompt": ["pore"]}, r"^prompt=\['pore'\]: give text$"),
        ({"roi": 5}, "roi '5': give x,y,width,height"),
        ({"flatten_shading": "both"}, "was trained on images that it sees once; leave the option out"),
    ):
        with pytest.raises(vlsenet.UserError, match=message) as caught:
            model.predict(image, **options)
        assert "--" not in str(caught.value).replace("vlsenet train", "")[:60]
    with pytest.raises(vlsenet.UserError, match=r"the shape \(270, 300, 3\): give \(H, W\), or several"):
        model.predict(np.repeat(image[..., None], 3, axis=2))
    tifffile.imwrite(tmp_path / "two.tif", np.stack([image, image]), photometric="minisblack")
    with pytest.raises(vlsenet.FileProblem, match="stack=True"):
        model.segment(tmp_path / "two.tif")


def test_wrong_things_in_place_of_paths_arrays_and_devices(
    model: vlsenet.Model, image: np.ndarray, scan: Path, found: vlsenet.Segmentation, tmp_path: Path
) -> None:
    for call, message in (
        (lambda: vlsenet.load(model.path, device="quark"), "device='quark': unknown device"),
        (lambda: vlsenet.load(model.path, device="cuda:99"), "device='cuda:99': PyTorch finds"),
        (lambda: vlsenet.load(model.path, device="meta"), "device='meta': PyTorch can't compute there; give cpu"),
        (lambda: vlsenet.load(model.path, device=""), "device='': unknown device"),
        (lambda: vlsenet.load(3), "load takes a path, not int; give a model's file"),
        (lambda: vlsenet.load(""), "load='': no path"),
        (lambda: vlsenet.load("a\0b"), "no path; give a model's file"),
        (lambda: vlsenet.load("x" * 300), "this name is too long"),
        (lambda: vlsenet.load(model.path, text_weights=3), "text_weights takes a path, not int"),
        (lambda: model.segment(image), "not ndarray; give arrays to predict"),
        (lambda: model.segment(scan, output_dir=""), "output_dir='': no path; name a folder"),
        (lambda: model.segment(scan, output_dir=3), "output_dir takes a path, not int"),
        (lambda: model.segment(scan, output_dir=scan / "x"), "scan.tif is a file; give a folder"),
        (lambda: model.segment(scan, formats="tiff"), "formats='tiff': these are files; give output_dir, too"),
        (lambda: model.segment(scan, stack=True), "it holds one image, and a stack has two or more slices"),
        (lambda: model.segment(scan, overwrite="no"), "overwrite='no': must be True or False"),
        (lambda: model.predict(image, page=0), "unknown argument page"),
        (lambda: model.predict(image, stack=1), "stack=1: must be True or False"),
        (lambda: found.write_report(None), "write_report takes a path, not NoneType"),
        (lambda: found[0], "no phase 0 was asked for; there is pore"),
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


def test_numbers_of_numpy_and_torch_are_numbers(
    model: vlsenet.Model, image: np.ndarray, found: vlsenet.Segmentation
) -> None:
    options = {"chunk_size": np.int64(256), "pixel_size_nm": torch.tensor(10.0), "threshold": np.float32(0.5)}
    given = model.predict(image, **{**OPTIONS, **options})
    assert given.pixel_size_nm == 10
    np.testing.assert_array_equal(given.probability, found.probability)
    assert model.predict(image, **{**OPTIONS, "threshold": None}).porosity == found.porosity


def test_other_defaults_of_torch_change_nothing(
    model: vlsenet.Model, image: np.ndarray, found: vlsenet.Segmentation
) -> None:
    try:
        torch.set_default_dtype(torch.float16)
        torch.set_default_device("meta")
        results = [one.predict(image, **OPTIONS) for one in (model, vlsenet.load(model.path, device="cpu"))]
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    for result in results:
        np.testing.assert_array_equal(result.probability, found.probability)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (None, "predict_batch takes arrays, not None; give"),
        ("scans", "predict_batch takes arrays, not 'scans'.*paths to segment"),
        (np.zeros((20, 30)), r"the shape \(20, 30\), which is one image; give it to predict"),
        ([np.zeros((20, 30)), None], "image 1 is None, but an array is needed"),
        (["a.tif"], "image 0 is 'a.tif', but an array is needed; give the paths of files to segment"),
        (np.zeros((2, 20, 30, 1)), r"image 0 has the shape \(20, 30, 1\): give \(H, W\)"),
    ],
)
def test_what_is_no_batch(model: vlsenet.Model, images: Any, message: str) -> None:
    with pytest.raises(vlsenet.UserError, match=message):
        model.predict_batch(images)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(20, 30, device="meta"),
        torch.zeros(20, 30).to(torch.complex64).conj(),
        torch.zeros(0, 20, 30),
        torch.zeros(1, 20, 30),
    ],
)
def test_tensors_that_are_no_image_or_no_stack(model: vlsenet.Model, tensor: torch.Tensor) -> None:
    with pytest.raises(vlsenet.UserError, match=r"can't be read|real numbers|two or more slices"):
        model.predict(tensor, stack=tensor.ndim == 3)


@pytest.mark.parametrize(
    "turned",
    [
        torch.Tensor.to_sparse,
        torch.Tensor.requires_grad_,
        lambda tensor: tensor.to(torch.float8_e5m2),
        lambda tensor: torch.quantize_per_tensor(tensor, 1.0, 0, torch.quint8),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_of_every_kind(model: vlsenet.Model, turned: Any) -> None:
    grey = torch.from_numpy(2.0 ** np.random.default_rng(0).integers(0, 6, (20, 30))).float()
    np.testing.assert_array_equal(model.predict(turned(grey)).mask, model.predict(grey).mask)


def test_one_bad_image_does_not_lose_the_others_and_a_doubt_is_said_once(
    model: vlsenet.Model, image: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    flat, options = np.full((40, 50), 7, np.uint8), {"chunk_size": 256}
    with pytest.raises(vlsenet.UserError, match=r"^2 of 4 were not segmented:\nimage 1: .*\nimage 3: ") as caught:
        model.predict_batch([image, flat, image[:200], flat], **options)
    assert list(caught.value.results) == ["image 0", "image 2"]
    sizes = [record.getMessage() for record in caplog.records if "pixel size not known" in record.getMessage()]
    assert sizes == [
        "image 0: pixel size not known, so lengths are in pixels; pixel_size_nm=N sets it",
        "3 more (image 1, image 2, image 3): pixel size not known, so lengths are in pixels; pixel_size_nm=N sets it",
    ]
    tifffile.imwrite(tmp_path / "a.tif", image)
    (tmp_path / "b.tif").write_bytes(b"II*\0 no image")
    with pytest.raises(vlsenet.UserError, match=r"^1 of 2 were not segmented:\n.*b\.tif: ") as caught:
        model.segment_folder(tmp_path, **options)
    assert list(caught.value.results) == ["a.tif"]


def test_scans_that_the_model_does_not_know_are_told_together(
    image: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    default = vlsenet.load("default", device="cpu")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
    default.predict_batch([noise, noise[::-1]], pixel_size_nm=10)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith("2 of 2 scans look unlike the training images (image 0, image 1; distances from ")
    assert "vlsenet train my_rock --output_dir runs/adapted --start_from default" in warning


def test_results_do_not_go_among_the_slices_as_in_the_command(
    model: vlsenet.Model, image: np.ndarray, tmp_path: Path
) -> None:
    for number in range(2):
        tifffile.imwrite(tmp_path / f"slice_{number}.tif", image[:64, :64])
    with pytest.raises(vlsenet.UserError, match=r"would go among the slices of the stack.*another output_dir$"):
        model.segment(tmp_path, stack=True, output_dir=tmp_path, **OPTIONS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slice_0.tif", "slice_1.tif"]


def test_ctrl_c_is_one_for_the_caller(
    model: vlsenet.Model, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.workflows.scan.segmentation.write_chunks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.segment(scan, output_dir=tmp_path / "out", **OPTIONS)
    monkeypatch.undo()
    assert model.segment(scan, output_dir=tmp_path / "out", **OPTIONS).porosity > 0


def test_results_go_to_other_processes(found: vlsenet.Segmentation, model: vlsenet.Model, scan: Path) -> None:
    for one in (found, model.segment(scan, **OPTIONS)):
        other = pickle.loads(pickle.dumps(one))
        pd.testing.assert_frame_equal(other.pores, one.pores)
        assert other._repr_html_() == one._repr_html_()
        assert list(other) == ["pore"]
        assert "pore" in other
        assert 0 not in other


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
