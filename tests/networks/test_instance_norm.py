from __future__ import annotations

import pytest
import torch
from monai.networks.layers.utils import get_norm_layer
from torch import nn

from pipeline.networks.blocks import norm_spec
from pipeline.networks.kernels import InstanceNorm


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [False, True])
def test_it_is_pytorchs_instance_norm(training: bool, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    ours, theirs = InstanceNorm(5, affine=True).double(), nn.InstanceNorm2d(5, affine=True).double()
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    theirs.load_state_dict(ours.state_dict())
    features = torch.randn(3, 5, 6, 7, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    weight = torch.randn(3, 5, 6, 7, dtype=torch.float64)
    results = []
    for norm in (ours.train(training), theirs.train(training)):
        normalised = norm(features)
        results.append((normalised, *torch.autograd.grad((normalised * weight).sum(), (features, *norm.parameters()))))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-11)


def test_monais_blocks_are_given_it() -> None:
    norm = get_norm_layer(norm_spec("instance", 6), spatial_dims=2, channels=6)
    assert isinstance(norm, InstanceNorm)
    assert norm.num_features == 6
    assert norm.weight is not None


def test_bfloat16_stays_bfloat16() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert InstanceNorm(4, affine=True)(torch.randn(2, 4, 8, 8).bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_large_mean_costs_no_digits(layout: torch.memory_format) -> None:
    features = 100 + torch.randn(2, 3, 32, 32, dtype=torch.float64)
    expected = nn.InstanceNorm2d(3).double()(features)
    found = InstanceNorm(3)(features.float().to(memory_format=layout))
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4)
