"""Scans by a network that sees beyond its windows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from torch import nn

from pipeline.engine import scan_predictor
from pipeline.engine.inferer import MicrographInferer
from pipeline.engine.prediction import ChunkMerger, PredictionSettings
from pipeline.foreground import coarse
from pipeline.images.rectangles import Roi
from pipeline.synthetic import generate
from pipeline.workflows import ScanSegmentation, load_model
from pipeline.workflows.model_file import TrainedModel
from tests.images.microscope.bars import boxes
from tests.paths import CONFIGS
from tests.workflows.export.cases import trained_model
from tests.workflows.scan.files import files, settings_of

REACH = 240


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    path = trained_model(tmp_path_factory.mktemp("model"), network="unet", reach=REACH).path
    content = torch.load(path, weights_only=True)
    torch.manual_seed(1)
    for name, weight in content["network"].items():
        if "surroundings.to_" in name and name.endswith("weight"):  # the joints start near zero
            nn.init.normal_(weight, std=0.5)
    torch.save(content, path)  # other processes read it
    return load_model(str(path))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return generate((600, 900), seed=0).image


def segmented(scan: Path, folder: Path, model: TrainedModel, **changes: Any) -> Path:
    others = {name: changes.pop(name) for name in ("overwrite",) if name in changes}
    settings = settings_of(**{"chunk_size": 256, "precision": "float32", "report": False, **changes})
    ScanSegmentation(str(scan), folder, model, settings, **others).run()
    return folder


def written(image: np.ndarray, path: Path) -> Path:
    tifffile.imwrite(path, image, tile=(128, 128))
    return path


def stored(folder: Path) -> np.ndarray:
    """Probability (H, W), in steps of 1/255."""
    return np.asarray(zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r")["0"][0, 1, 0])


def test_the_seam_is_no_wider_and_what_was_killed_goes_on_to_the_same_bytes(
    image: np.ndarray, model: TrainedModel, tmp_path: Path
) -> None:
    scan = written(image[:300, :520], tmp_path / "scan.tif")
    whole = segmented(scan, tmp_path / "whole", model)
    seam = json.loads((whole / "manifest.json").read_text())["seam_certificate"]
    assert seam["crops"] > 0
    assert seam["largest"] in (0.0, pytest.approx(1 / 255))
    begun(scan, tmp_path / "parts", model, 2)
    (kept,) = (tmp_path / "parts" / "journal").glob("surroundings-*.npy")
    assert np.load(kept).shape == (1, 38, 65, 2)
    segmented(scan, tmp_path / "parts", model)
    assert files(tmp_path / "parts") == files(whole)
    assert not kept.exists()  # of no use any more


def begun(scan: Path, folder: Path, model: TrainedModel, chunks: int, **settings: Any) -> None:
    """A segmentation that is interrupted after some chunks."""
    aggregate, left = ChunkMerger.aggregate, iter(range(chunks))

    def broken(self, values, location):
        if next(left, None) is None:
            raise KeyboardInterrupt
        aggregate(self, values, location)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChunkMerger, "aggregate", broken)
        with pytest.raises(SystemExit):
            segmented(scan, folder, model, **settings)


@pytest.mark.slow  # it starts two processes
@pytest.mark.parametrize("bad", ["smaller than the view", "above an info bar", "with levels that can't be read"])
def test_two_processes_go_on_to_the_bytes_of_one(
    bad: str, image: np.ndarray, model: TrainedModel, tmp_path: Path
) -> None:
    scan = tmp_path / "scan.tif"
    if bad == "smaller than the view":
        written(image[:220, :600], scan)
    elif bad == "above an info bar":
        written(np.vstack([image[:200, :600], boxes(60, 600, 0, 255)]), scan)
    else:
        with_damaged_levels(image[:200, :600], scan)
    settings = {"chunk_size": 256, "threshold": model.threshold}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        segmented(scan, tmp_path / "one", model, **settings)
        begun(scan, tmp_path / "two", model, 2, **settings)
    finally:
        torch.set_num_threads(threads)
    configs = [str(CONFIGS / name) for name in ("common.yaml", "scan.yaml", "multi_gpu_scan.yaml")]
    options = {
        "--input": scan,
        "--output_dir": tmp_path / "two",
        "--checkpoint": model.path,
        "--chunk_size": 256,
        "--precision": "float32",
        "--report": False,
    }
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    bundle = ["-m", "monai.bundle", "run", "--config_file", str(configs), "--device", "cpu"]
    words = [sys.executable, *launcher, *bundle, *(str(word) for pair in options.items() for word in pair)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    two = subprocess.run(words, timeout=240, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert two.returncode == 0, two.stderr[-3000:]
    assert "already finished" in two.stderr
    assert files(tmp_path / "two") == files(tmp_path / "one")


def with_damaged_levels(image: np.ndarray, path: Path) -> Path:
    """A pyramidal TIFF whose smaller level can't be decoded."""
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(image, subifds=1, tile=(128, 128))
        writer.write(image[::8, ::8], subfiletype=1, tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(path) as file:
        (smaller,) = file.series[0].levels[1:]
        offsets = smaller.pages[0].dataoffsets
    content = bytearray(path.read_bytes())
    for offset in offsets:
        content[offset : offset + 8] = b"damaged!"
    path.write_bytes(content)
    return path


def test_as_the_same_image_in_an_evaluation(image: np.ndarray, model: TrainedModel, tmp_path: Path) -> None:
    image = image[:300, :520]
    folder = segmented(written(image, tmp_path / "scan.tif"), tmp_path / "out", model, batch=2)
    found = stored(folder) / 255
    features = model.text.together("pore")
    settings = PredictionSettings(precision="float32", flatten_shading=True)
    inferer = MicrographInferer(settings)
    whole = inferer(
        torch.from_numpy(image)[None, None].float(),
        model.network,
        text=features.text[None],
        tokens=features.tokens[None],
    )
    np.testing.assert_allclose(whole[0, 0].numpy(), found, atol=0.02)
    assert np.abs(whole[0, 0].numpy() - found).mean() < 0.003


def test_a_region_has_the_answer_of_the_whole_scan(
    image: np.ndarray, model: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse, "_SIDE", 64)
    monkeypatch.setattr(scan_predictor, "TILES", 1)
    scan, region = written(image, tmp_path / "scan.tif"), Roi(620, 320, 250, 250)
    whole = stored(segmented(scan, tmp_path / "whole", model))[320:570, 620:870]
    squares, means = [], coarse._means
    monkeypatch.setattr(coarse, "_means", lambda *given: squares.append(given[-1]) or means(*given))
    part = stored(segmented(scan, tmp_path / "part", model, roi=region))
    assert 0 < len(squares) < 10 * 15  # squares of 64 px of the whole scan
    assert np.abs(part.astype(int) - whole).max() <= 1


def test_levels_of_a_pyramid_are_not_read(image: np.ndarray, model: TrainedModel, tmp_path: Path) -> None:
    """They may be made in any way, and damaged: what is seen are means of the scan itself."""
    plain = written(image[:300, :520], tmp_path / "plain.tif")
    levels = with_damaged_levels(image[:300, :520], tmp_path / "levels.ome.tif")
    found = [stored(segmented(scan, tmp_path / scan.stem, model)) for scan in (plain, levels)]
    np.testing.assert_array_equal(*found)


def test_an_image_smaller_than_the_view_and_one_above_an_info_bar(
    image: np.ndarray, model: TrainedModel, tmp_path: Path
) -> None:
    small = image[:64, :80]
    barred = np.vstack([image[:200, :400], boxes(60, 400, 0, 255)])
    for name, pixels in {"small": small, "barred": barred}.items():
        folder = segmented(written(pixels, tmp_path / f"{name}.tif"), tmp_path / name, model)
        assert json.loads((folder / "porosity.json").read_text())["rock_pixels"] > 0
    alone = segmented(written(image[:200, :400], tmp_path / "alone.tif"), tmp_path / "alone", model)
    values = [json.loads((tmp_path / name / "porosity.json").read_text()) for name in ("barred", "alone")]
    assert values[0]["porosity"] == pytest.approx(values[1]["porosity"], abs=1e-3)
    assert alone
