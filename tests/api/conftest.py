"""A small untrained model and an image of rock."""

from __future__ import annotations

import numpy as np
import pytest

import pipeline as vlsenet
from pipeline.synthetic import generate
from tests.workflows.export.cases import write_checkpoint


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Rock (270, 300) beside a border without data."""
    pixels = generate((270, 300), seed=0).image.copy()
    pixels[:, 240:] = 0
    return pixels


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> vlsenet.Model:
    folder = tmp_path_factory.mktemp("model")
    write_checkpoint(folder / "best.pt")
    return vlsenet.load(folder / "best.pt", device="cpu")
