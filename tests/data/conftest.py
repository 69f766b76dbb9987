"""Small data sets on disk, and where the real ones are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def shared() -> Path:
    """The folder of real images beside the repository."""
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real images: {folder} is missing")
    return folder


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Write a data set of random images whose masks have a given porosity each; returns its folder."""

    def make(
        porosities: dict[str, float],
        *,
        values: tuple[int, int] = (0, 255),
        size: tuple[int, int] = (24, 40),
        folders: tuple[str, str] = ("images", "labels"),
    ) -> Path:
        root = tmp_path / "set"
        for folder in folders:
            (root / folder).mkdir(parents=True)
        rng = np.random.default_rng(0)
        for name, porosity in porosities.items():
            mask = np.zeros(size[0] * size[1], np.uint8) + values[0]
            mask[: round(porosity * mask.size)] = values[1]
            image = rng.integers(1, 256, size, dtype=np.uint8)
            Image.fromarray(image).save(root / folders[0] / f"{name}.png")
            Image.fromarray(mask.reshape(size)).save(root / folders[1] / f"{name}.png")
        return root

    return make
