from __future__ import annotations

import pytest
import torch

from pipeline.workflows.precision import MixedPrecisionInferer, autocast, has_fast_bfloat16


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("float32", torch.float32),
        ("bfloat16", torch.bfloat16),
        ("auto", torch.bfloat16 if has_fast_bfloat16("cpu") else torch.float32),
    ],
)
def test_the_network_runs_in_the_precision_asked_for(precision: str, expected: torch.dtype) -> None:
    layer = torch.nn.Conv2d(1, 2, 3)
    image = torch.randn(1, 1, 8, 8)
    assert MixedPrecisionInferer(precision)(image, layer).dtype == expected
    with autocast(precision, "cpu"):
        assert layer(image).dtype == expected
    assert layer(image).dtype == torch.float32


def test_weights_and_gradients_stay_in_single_precision() -> None:
    layer = torch.nn.Conv2d(1, 2, 3)
    MixedPrecisionInferer("bfloat16")(torch.randn(1, 1, 8, 8), layer).float().sum().backward()
    assert layer.weight.dtype == layer.weight.grad.dtype == torch.float32
