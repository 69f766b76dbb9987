"""What a training's images look like, as its model file keeps it."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from pipeline.engine.familiarity import window_features
from pipeline.engine.prediction import PredictionSettings
from pipeline.synthetic import generate
from pipeline.workflows.model_file import load_model
from pipeline.workflows.training_look import describe_training
from tests.workflows.export.cases import write_checkpoint


def described(folder: Path, side: int) -> tuple[list[np.ndarray], Path]:
    """Training images, and the model file that describes them and two of validation."""
    path = folder / "best.pt"
    write_checkpoint(path)
    images = {f"{seed}": generate((side, side), seed).image.astype(np.float32) for seed in range(6)}
    items = [{"name": name, "source": name, "pixel_size_nm": [np.nan, np.nan]} for name in images]
    describe_training(path, items[:4], items[4:], lambda item: {"image": images[item["name"]][None]}, _SETTINGS)
    return [images[item["name"]] for item in items[:4]], path


_SETTINGS = PredictionSettings(flatten_shading=False)


def test_training_images_are_like_themselves_and_noise_is_not(tmp_path: Path) -> None:
    images, path = described(tmp_path, 384)
    known = load_model(str(path)).familiarity
    assert known is not None
    noise = np.random.default_rng(0).normal(size=images[0].shape)
    levels = [
        known.level(known.distance.of(window_features(((i - i.mean()) / i.std())[None]))) for i in (*images, noise)
    ]
    assert levels == ["like"] * 4 + ["far off"]


def test_small_images_describe_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vlsenet"):
        _, path = described(tmp_path, 128)
    assert load_model(str(path)).familiarity is None
    assert "the training images show too little for scans to be compared with them" in caplog.text
