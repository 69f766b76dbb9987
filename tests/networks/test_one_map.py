from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from pipeline.networks.kernels import OneMapConvolution


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [False, True])
def test_it_is_the_convolution(bias: bool, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    part = OneMapConvolution(5, bias).double()
    features = torch.randn(2, 5, 6, 7, dtype=torch.float64).to(memory_format=layout).requires_grad_()
    expected = F.conv2d(features, part.weight, part.bias)
    torch.testing.assert_close(part(features), expected, rtol=0, atol=1e-14)
    weight = torch.randn_like(expected)
    given = (features, *part.parameters())
    for found, reference in zip(
        torch.autograd.grad((part(features) * weight).sum(), given),
        torch.autograd.grad((expected * weight).sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(found, reference, rtol=0, atol=1e-12)


def test_training_keeps_no_copy_of_the_features() -> None:
    part, features = OneMapConvolution(8), torch.randn(2, 8, 16, 16, requires_grad=True)
    kept: set[int] = set()

    def keep(saved: torch.Tensor) -> torch.Tensor:
        kept.add(saved.untyped_storage().data_ptr())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        part(features)
    assert kept
    assert kept <= {tensor.untyped_storage().data_ptr() for tensor in (features, *part.parameters())}
