from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks import inference_form, pin_statistics
from pipeline.networks.activated_convolution import ActivatedConvolution
from tests.networks.cases import batch, build


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("kernel", "dilation", "groups"), [(3, 1, 1), (1, 1, 1), (3, 2, 4)])
def test_the_same_function(
    kernel: int, dilation: int, groups: int, kind: torch.dtype, layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    padding = dilation * (kernel // 2)
    plain = nn.Conv2d(8, 8, kernel, padding=padding, dilation=dilation, groups=groups).to(kind)
    features = torch.randn(2, 8, 17, 12).to(kind).to(memory_format=layout)
    fused = ActivatedConvolution(plain, 0.1)
    with torch.no_grad():
        expected = F.leaky_relu(plain(features), 0.1)
        for _ in range(2):
            tolerance = {torch.bfloat16: 2e-2, torch.float32: 1e-5}.get(kind, 0)
            torch.testing.assert_close(fused(features), expected, rtol=tolerance, atol=tolerance)


def test_a_pass_with_gradients_has_them() -> None:
    fused = ActivatedConvolution(nn.Conv2d(4, 4, 3, padding=1), 0.1)
    fused(torch.randn(1, 4, 8, 8)).sum().backward()
    assert fused.convolution.weight.grad is not None


def test_networks_have_it_where_nothing_else_follows_a_convolution() -> None:
    inputs = {name: value for name, value in batch().items() if name != "mask"}
    for case in ("unet-instance", "vlsenet-as-trained"):
        network = build(case).eval()
        count = sum(isinstance(module, ActivatedConvolution) for module in inference_form(network).modules())
        assert count == 0  # norms stand between
        form = inference_form(pin_statistics(network, **inputs))
        assert sum(isinstance(module, ActivatedConvolution) for module in form.modules()) >= 14
        graph = torch.export.export(form, (inputs["image"], inputs["text"], inputs["tokens"]))
        assert not any("mkldnn" in str(node.target) for node in graph.graph.nodes)
