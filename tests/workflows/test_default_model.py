"""The model that comes with the package: its file, what it says of itself, and what it finds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.bundle_files import default_model
from pipeline.cli.main import main
from pipeline.errors import SUCCESS
from pipeline.metrics import PoreCounts
from pipeline.workflows import load_model
from tests.paths import SHARED

NANKAI_17 = SHARED / "nankai_17"


@pytest.fixture
def segmented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VLSENET_CHECKPOINT", raising=False)

    def run(image: Path) -> tuple[dict, dict]:
        options = "--output_dir", "out", "--overwrite", "--set", "report=false", "--set", "precision=float32"
        assert main(["segment", str(image), *options]) == SUCCESS
        return tuple(json.loads(Path("out", name).read_text()) for name in ("manifest.json", "porosity.json"))

    return run


def test_its_file_is_small_and_holds_weights_without_code() -> None:
    path = default_model()
    assert path is not None
    assert path.stat().st_size <= 20e6
    content = torch.load(path, weights_only=True)
    assert "training" not in content  # what only resuming a training needs
    model = load_model(str(path))
    assert [phase.name for phase in model.phases] == ["pore"]
    assert model.threshold == 0.5
    assert all(parameter.dtype == torch.float32 for parameter in model.network.parameters())
    assert "Nankai" in model.title
    assert model.familiarity is not None
    error = model.error_of("pore")
    assert error is not None
    assert error.sources >= 2


def test_noise_without_a_model_is_far_off(segmented, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    manifest, porosity = segmented(tmp_path / "noise.png")
    assert manifest["checkpoint"] == str(default_model())
    assert "Nankai" in manifest["model"]["trained_on"]
    assert manifest["familiarity"]["level"] == "far off"
    assert porosity["interval_95_is_of"] == "sampling alone"
    printed = capsys.readouterr()
    assert "the default model, which comes with vlsenet" in printed.err
    assert "Nankai" in printed.err
    assert "don't use the numbers" in printed.out


@pytest.mark.data
@pytest.mark.skipif(not NANKAI_17.exists(), reason="no shared data")
def test_a_micrograph_that_it_has_not_seen_is_like_its_training(segmented) -> None:
    import zarr

    manifest, porosity = segmented(NANKAI_17 / "images" / "17_5.png")
    assert manifest["familiarity"]["level"] == "like"
    truth = np.asarray(Image.open(NANKAI_17 / "labels" / "17_5.png")) == 2
    mask = np.asarray(zarr.open_group("out/segmentation.ome.zarr", mode="r")["0"][0, 0, 0]) > 0
    assert PoreCounts.of(torch.from_numpy(mask), torch.from_numpy(truth)).dice > 0.75
    low, high = porosity["interval_95"]
    assert low < truth.mean() < high
