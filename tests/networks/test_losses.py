from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.networks import PoreSegmentationLoss, SegmentationOutput


def logits_and_target() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = (torch.rand(3, 1, 9, 7, generator=generator) < 0.3).float()
    target[1] = 0  # a pore-free crop
    return torch.randn(3, 1, 9, 7, generator=generator), target


def dice_and_bce(logits: torch.Tensor, target: torch.Tensor) -> tuple[float, float]:
    z, y = logits.numpy().astype(np.float64), target.numpy().astype(np.float64)
    p = 1 / (1 + np.exp(-z))
    dice = 1 - 2 * (p * y).sum() / (p.sum() + y.sum())
    return dice, -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()


@pytest.mark.parametrize(("dice_weight", "bce_weight"), [(1.0, 1.0), (2.0, 0.5), (0.0, 1.0)])
def test_formula(dice_weight: float, bce_weight: float) -> None:
    logits, target = logits_and_target()
    dice, bce = dice_and_bce(logits, target)
    got = PoreSegmentationLoss(dice_weight, bce_weight)(logits, target).item()
    assert got == pytest.approx(dice_weight * dice + bce_weight * bce, rel=1e-5)


def test_alignment_is_added_with_its_weight() -> None:
    logits, target = logits_and_target()
    output = SegmentationOutput(logits, torch.tensor([0.0, 0.5, 1.0]))
    plain, aligned = (PoreSegmentationLoss()(prediction, target) for prediction in (logits, output))
    assert (aligned - plain).item() == pytest.approx(0.07 * 0.5, rel=1e-4)


def test_false_pores_in_a_pore_free_crop_cost_dice() -> None:
    logits, target = logits_and_target()
    worse = logits.clone()
    worse[1] += 3
    loss = PoreSegmentationLoss(bce_weight=0.0)
    assert loss(worse, target) > loss(logits, target) + 0.05


def test_a_batch_without_pores_is_finite() -> None:
    logits = torch.randn(2, 1, 8, 8, requires_grad=True)
    loss = PoreSegmentationLoss()(logits, torch.zeros(2, 1, 8, 8))
    loss.backward()
    assert loss.isfinite()
    assert (logits.grad > 0).all()


def test_half_precision_logits_are_summed_in_single() -> None:
    logits = torch.full((1, 1, 400, 400), 5.0, dtype=torch.float16)
    loss = PoreSegmentationLoss()(logits, torch.ones(1, 1, 400, 400, dtype=torch.uint8))
    assert loss.dtype == torch.float32
    assert 0 < loss.item() < 0.02


@pytest.mark.parametrize(
    ("prediction", "target"), [((2, 2, 4, 4), (2, 2, 4, 4)), ((2, 1, 4, 4), (2, 1, 4, 5)), ((4,), (4,))]
)
def test_wrong_shapes(prediction: tuple[int, ...], target: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="N, 1, H, W"):
        PoreSegmentationLoss()(torch.zeros(prediction), torch.zeros(target))
