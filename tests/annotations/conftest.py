from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.annotations.drawn_rock import H, W


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    """A data set of two images without labels."""
    folder = tmp_path / "rock"
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(random.integers(0, 255, (H, W), np.uint8)).save(folder / "images" / f"{name}.tif")
    return folder
