from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss

from pipeline.networks import SegmentationLoss, SegmentationOutput
from pipeline.phases import UNKNOWN


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
    got = SegmentationLoss(dice_weight, bce_weight)(logits, target).item()
    assert got == pytest.approx(dice_weight * dice + bce_weight * bce, rel=1e-5)


def test_alignment_is_added_with_its_weight() -> None:
    logits, target = logits_and_target()
    output = SegmentationOutput(logits, torch.tensor([0.0, 0.5, 1.0]))
    plain, aligned = (SegmentationLoss()(prediction, target) for prediction in (logits, output))
    assert (aligned - plain).item() == pytest.approx(0.07 * 0.5, rel=1e-4)


def test_false_pores_in_a_pore_free_crop_cost_dice() -> None:
    logits, target = logits_and_target()
    worse = logits.clone()
    worse[1] += 3
    loss = SegmentationLoss(bce_weight=0.0)
    assert loss(worse, target) > loss(logits, target) + 0.05


def test_a_batch_without_pores_is_finite() -> None:
    logits = torch.randn(2, 1, 8, 8, requires_grad=True)
    loss = SegmentationLoss()(logits, torch.zeros(2, 1, 8, 8))
    loss.backward()
    assert loss.isfinite()
    assert (logits.grad > 0).all()


def test_half_precision_logits_are_summed_in_single() -> None:
    logits = torch.full((1, 1, 400, 400), 5.0, dtype=torch.float16)
    loss = SegmentationLoss()(logits, torch.ones(1, 1, 400, 400, dtype=torch.uint8))
    assert loss.dtype == torch.float32
    assert 0 < loss.item() < 0.02


def test_is_monais_loss_of_one_phase() -> None:
    logits, target = logits_and_target()
    expected = DiceCELoss(sigmoid=True, batch=True)(logits, target)
    torch.testing.assert_close(SegmentationLoss()(logits, target), expected, rtol=1e-6, atol=1e-7)


def test_unknown_pixels_and_phases_count_nowhere() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 6, 8, requires_grad=True)
    target = (torch.rand(2, 4, 6, 8) < 0.3).float()
    unknown = torch.rand(2, 4, 6, 8) < 0.5
    unknown[:, 1] = True  # in the whole batch
    unknown[0, 2] = True  # in one sample
    loss = SegmentationLoss()(logits, torch.where(unknown, UNKNOWN, target))
    expected = []
    for phase in (0, 2, 3):
        known = ~unknown[:, phase]
        dice, bce = dice_and_bce(logits.detach()[:, phase][known], target[:, phase][known])
        expected.append(dice + bce)
    assert loss.item() == pytest.approx(np.mean(expected), rel=1e-5)
    loss.backward()
    assert (logits.grad[unknown] == 0).all()
    assert (logits.grad[~unknown] != 0).all()


def test_a_batch_of_which_nothing_is_known_has_no_loss() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = SegmentationLoss()(logits, torch.full_like(logits, UNKNOWN))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(
    ("prediction", "target"), [((2, 1, 4, 4), (2, 2, 4, 4)), ((2, 1, 4, 4), (2, 1, 4, 5)), ((4,), (4,))]
)
def test_wrong_shapes(prediction: tuple[int, ...], target: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="N, K, H, W"):
        SegmentationLoss()(torch.zeros(prediction), torch.zeros(target))
