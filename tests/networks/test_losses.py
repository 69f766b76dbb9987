from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.losses import DiceCELoss

from pipeline.networks import SegmentationLoss, SegmentationOutput
from pipeline.networks.losses import trust, unlearned
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


def earlier_case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, a target of which little is known, and an earlier model's probabilities; two phases."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 2, 9, 7, generator=generator)
    earlier = torch.rand(3, 2, 9, 7, generator=generator)
    target = torch.where(torch.rand(3, 2, 9, 7, generator=generator) < 0.2, (earlier > 0.4).float(), UNKNOWN)
    target[0, 1] = UNKNOWN  # a sample that knows nothing of a phase
    return logits, target, earlier


def test_the_earlier_model_answers_where_nothing_is_known() -> None:
    logits, target, earlier = earlier_case()
    expected = 0.0
    for k in range(2):
        known, p, y = target[:, k] >= 0, earlier[:, k].double(), target[:, k]
        j = p[y == 1].mean() - p[y == 0].mean()
        assert 0.3 < j < 1
        common = (p >= 0.5) == (p.mean() >= 0.5)
        assert 0.3 < common.double().mean() < 0.7
        there = ~known & known.flatten(1).any(1)[:, None, None] & common
        q = logits[:, k].double().sigmoid()[there]
        away = -(p[there] * q.log() + (1 - p[there]) * (1 - q).log()).mean()
        expected += float(j * away) / 2
    assert unlearned(logits, target, earlier).item() == pytest.approx(expected, rel=1e-5)
    none, some = (
        SegmentationLoss(earlier_weight=0.5)(SegmentationOutput(logits, torch.zeros(3), one), target)
        for one in (None, torch.logit(earlier))
    )
    assert (some - none).item() == pytest.approx(0.5 * expected, rel=1e-4)


@pytest.mark.parametrize("what", ["wrong", "one class", "nothing"])
def test_an_earlier_model_that_knows_nothing_better_is_not_asked(what: str) -> None:
    logits, target, earlier = earlier_case()
    if what == "wrong":
        earlier = 1 - earlier
    if what == "one class":
        target = torch.where(target == 0, UNKNOWN, target)
    if what == "nothing":
        target = torch.full_like(target, UNKNOWN)
    assert unlearned(logits, target, earlier) == 0


def test_trust_does_not_depend_on_the_shares_of_the_strokes() -> None:
    earlier = torch.tensor([0.9, 0.7, 0.1, 0.3, 0.2]).reshape(1, 1, 1, 5)
    target = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 1, 5)
    once = trust(target, earlier)
    assert once.item() == pytest.approx(0.6)
    assert trust(target.repeat(1, 1, 3, 1), earlier.repeat(1, 1, 3, 1)).item() == pytest.approx(0.6)
    many = [0] * 20 + [1] * 20 + [2, 3, 4]
    assert trust(target[..., many], earlier[..., many]).item() == pytest.approx(0.6)
