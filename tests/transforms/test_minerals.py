from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from pipeline.transforms import RandBrightMineralsd


def sample(seed: int = 0) -> dict[str, torch.Tensor]:
    random = np.random.default_rng(seed)
    image = torch.from_numpy(random.normal(0, 1, (1, 128, 128)).astype(np.float32))
    return {"image": MetaTensor(image), "label": torch.ones(1, 128, 128)}


def test_grains_are_bright_and_no_pore() -> None:
    for seed in range(20):
        before = sample(seed)
        after = RandBrightMineralsd(("image", "label"), prob=1.0).set_random_state(seed)(before)
        grains = after["label"] == 0
        assert 0.005 < grains.float().mean() < 0.13
        difference = after["image"] - before["image"]
        # brighter on the whole, noise and all; and nothing changes away from the soft rim
        assert after["image"][grains].mean() > before["image"][grains].mean() + 0.5
        far = torch.nn.functional.max_pool2d(grains.float()[None], 11, 1, 5)[0] == 0
        assert difference[far].abs().max() < 1e-3
        assert after["image"][grains].std() > 0.2
        assert isinstance(after["image"], MetaTensor)
        assert (before["label"] == 1).all()  # what came in stays as it was


def test_how_often_and_the_same_again() -> None:
    transform = RandBrightMineralsd(("image", "label"), prob=0.25).set_random_state(0)
    acted = [bool((transform(sample())["label"] == 0).any()) for _ in range(200)]
    assert 0.15 < np.mean(acted) < 0.35
    again = RandBrightMineralsd(("image", "label"), prob=0.25).set_random_state(0)
    assert acted[:20] == [bool((again(sample())["label"] == 0).any()) for _ in range(20)]


@pytest.mark.parametrize("size", [(1, 32, 47), (1, 16, 16)])
def test_any_size(size: tuple[int, int, int]) -> None:
    data = {"image": torch.randn(size), "label": torch.ones(size)}
    out = RandBrightMineralsd(("image", "label"), prob=1.0).set_random_state(1)(data)
    assert out["image"].shape == out["label"].shape == size
    assert torch.isfinite(out["image"]).all()
