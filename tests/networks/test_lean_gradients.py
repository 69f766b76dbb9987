"""Steps with gradients of their own, against the same formulas as PyTorch differentiates them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from pipeline.networks import lean_gradients
from pipeline.networks.blocks import SpatialMean
from pipeline.networks.kernels import scale_shift, scale_twice, trains_here
from pipeline.networks.lean_gradients import gated, modulated, read
from pipeline.networks.skip_gate import SkipGate

FEATURES, CHANNELS, PIXELS = (3, 5, 6, 7), (3, 5, 1, 1), (3, 1, 6, 7)


def plain_read(features: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return features * 1, features.mean((2, 3)), torch.einsum("nchw,c->nhw", features, weights)[:, None]


CASES = {
    "modulated": (modulated, lambda x, scale, shift: x * scale + shift, (FEATURES, CHANNELS, CHANNELS)),
    "gated": (gated, lambda x, scale, factors: x * scale * factors, (FEATURES, CHANNELS, PIXELS)),
    "read": (read, plain_read, (FEATURES, (5,))),
}


def inputs_of(shapes: tuple[tuple[int, ...], ...], dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("part", [1, 100, 1 << 16], ids="parts of {} elements".format)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_the_formula(case: str, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean_gradients, "_PART", part)
    ours, plain, shapes = CASES[case]
    assert torch.autograd.gradcheck(ours, inputs_of(shapes))
    results = []
    for work in (ours, plain):
        given = inputs_of(shapes)
        out = work(*given)
        together = out if isinstance(out, tuple) else (out,)
        sum((one * (one.detach() + 1)).sum() for one in together).backward()
        results.append([*together, *(one.grad for one in given)])
    for own, expected in zip(*results, strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("work", [scale_shift, scale_twice])
def test_gradients_of_tensors_that_are_laid_out_otherwise(work: Callable[..., torch.Tensor]) -> None:
    shapes = FEATURES, CHANNELS, CHANNELS if work is scale_shift else PIXELS
    features, scale, other = inputs_of(shapes, torch.float32)
    # slices of something larger, as gamma and beta are
    wide = torch.cat([scale, scale], 1).detach()[:, :5].requires_grad_()
    wide_other = torch.cat([other, other], 1).detach()[:, : other.shape[1]].requires_grad_()
    own = torch.autograd.grad(work(features, wide, wide_other).square().sum(), (features, wide, wide_other))
    turned = features.detach().to(memory_format=torch.channels_last).requires_grad_()
    assert not trains_here(turned)
    plain = torch.autograd.grad(work(turned, wide, wide_other).square().sum(), (turned, wide, wide_other))
    for one, by_pytorch in zip(own, plain, strict=True):
        torch.testing.assert_close(one, by_pytorch, rtol=1e-4, atol=1e-4)


class PlainMean(SpatialMean):
    """Which the gate does not know: it takes the plain way."""


def test_a_gate_in_training_is_the_plain_one() -> None:
    torch.manual_seed(0)
    gate = SkipGate(5, 8)
    for parameter in gate.parameters():
        torch.nn.init.normal_(parameter)
    skip, decoder = torch.randn(2, 5, 12, 16), torch.randn(2, 8, 6, 8)
    results = []
    for kind, layout in ((SpatialMean, torch.contiguous_format), (PlainMean, torch.channels_last)):
        gate.skip_mean, gate.decoder_mean = kind(), kind()
        gate.zero_grad()
        given = [one.clone(memory_format=layout).requires_grad_() for one in (skip, decoder)]
        assert trains_here(given[0]) == (kind is SpatialMean)
        out = gate(*given)
        out.square().sum().backward()
        results.append([out, *(one.grad for one in given), *(parameter.grad for parameter in gate.parameters())])
    for own, plain in zip(*results, strict=True):
        torch.testing.assert_close(own, plain, rtol=1e-4, atol=1e-4)
