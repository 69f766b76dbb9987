"""The commands on a GPU against the same on the CPU: ``pytest -m gpu``."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import zarr

from pipeline.engine import pinned_network
from pipeline.networks import pinned_with_answer
from pipeline.synthetic import generate, write_dataset
from pipeline.workflows import ScanSegmentation, load_model
from tests.workflows.export.cases import write_checkpoint
from tests.workflows.scan.files import files, settings_of
from tests.workflows.test_bundle import QUICK, bundle

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU"),
]

SIZE = (600, 1100)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set, a scan, and a model trained on the GPU."""
    folder = tmp_path_factory.mktemp("work")
    write_dataset(folder / "rock", 5, shape=(96, 112), seed=3, val=2, test=0, text=True)
    tifffile.imwrite(folder / "scan.tif", generate(SIZE, seed=0).image, tile=(128, 128), compression="zlib")
    write_checkpoint(folder / "tiny.pt")
    bundle(folder, "train", dataset_dir="rock", output_dir="run", max_epochs=2, **QUICK)
    return folder


def scan(work: Path, folder: Path, device: str, **changes: Any) -> np.ndarray:
    """Probability of the scan, of 0 to 255 (H, W)."""
    settings = {"prompt": "pore", "threshold": 0.5, "chunk_size": 256, "precision": "float32", "report": False}
    model = load_model(str(work / "tiny.pt"), device)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # float32 with all its digits
        ScanSegmentation(str(work / "scan.tif"), folder, model, settings_of(**{**settings, **changes})).run()
    return np.asarray(zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r")["0"][0, 1, 0])


def test_a_training_goes_on(work: Path) -> None:
    bundle(work, "train", dataset_dir="rock", output_dir="run", max_epochs=3, resume=True, **QUICK)
    last = torch.load(work / "run" / "checkpoints" / "last.pt", weights_only=True, map_location="cpu")
    assert all(tensor.isfinite().all() for tensor in last["network"].values())


def test_evaluation_is_that_of_the_cpu(work: Path) -> None:
    scores = {}
    for device in ("cuda:0", "cpu"):
        bundle(
            work,
            "evaluate",
            dataset_dir="rock",
            output_dir=device[:3],
            checkpoint="run/checkpoints/best.pt",
            split="all",
            device=device,
            precision="float32",
        )
        scores[device] = pd.read_csv(work / device[:3] / "per_image.csv")
    gpu, cpu = scores.values()
    np.testing.assert_allclose(gpu["dice"], cpu["dice"], atol=0.01)
    np.testing.assert_allclose(gpu["porosity_predicted"], cpu["porosity_predicted"], atol=0.003)


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_scan_is_that_of_the_cpu(work: Path, tmp_path: Path, precision: str) -> None:
    gpu = scan(work, tmp_path / "gpu", "cuda:0", precision=precision).astype(int)
    cpu = scan(work, tmp_path / "cpu", "cpu").astype(int)
    largest, mean = (2, 0.1) if precision == "float32" else (40, 1.0)
    assert np.abs(gpu - cpu).max() <= largest
    assert np.abs(gpu - cpu).mean() <= mean
    assert json.loads((tmp_path / "gpu" / "porosity.json").read_text())["rock_pixels"] == SIZE[0] * SIZE[1]


def test_a_scan_repeats_to_the_byte(work: Path, tmp_path: Path) -> None:
    for name in ("once", "again"):
        scan(work, tmp_path / name, "cuda:0", precision="auto")
    assert files(tmp_path / "once") == files(tmp_path / "again")


def test_a_scan_goes_on_with_less_memory(work: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    free = scan(work, tmp_path / "free", "cuda:0", batch=8)
    peak, total = torch.cuda.max_memory_allocated(), torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    try:
        torch.cuda.set_per_process_memory_fraction(0.5 * peak / total)
        with caplog.at_level(logging.WARNING):
            tight = scan(work, tmp_path / "tight", "cuda:0", batch=8)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "ran out of memory: continuing with batches of " in caplog.text
    assert np.abs(free.astype(int) - tight).max() <= 2


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_statistics_that_find_no_room(
    work: Path, tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    roomy = scan(work, tmp_path / "roomy", "cuda:0", precision=precision).astype(int)

    def full(
        network: torch.nn.Module, image: torch.Tensor, *text: torch.Tensor
    ) -> tuple[torch.nn.Module, torch.Tensor]:
        if image.is_cuda:
            raise torch.OutOfMemoryError
        return pinned_with_answer(network, image, *text)

    monkeypatch.setattr(pinned_network, "pinned_with_answer", full)
    tight = scan(work, tmp_path / "tight", "cuda:0", precision=precision).astype(int)
    assert "they are computed on the CPU" in caplog.text
    assert np.abs(roomy - tight).max() <= (2 if precision == "float32" else 40)
