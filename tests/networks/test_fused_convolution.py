from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks import inference_form, pin_statistics
from pipeline.networks.fused_convolution import ActivatedConvolution, JoinedConvolution
from tests.networks.cases import batch, build

FORMS = {
    "leaky": (ActivatedConvolution, ("leaky_relu", 0.1), lambda y, other: F.leaky_relu(y, 0.1)),
    "gelu": (ActivatedConvolution, ("gelu",), lambda y, other: F.gelu(y)),
    "tanh": (ActivatedConvolution, ("tanh",), lambda y, other: torch.tanh(y)),
    "add": (JoinedConvolution, ("add",), lambda y, other: y + other),
    "mul": (JoinedConvolution, ("mul",), lambda y, other: y * other),
}


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("form", FORMS)
def test_the_same_function(form: str, kind: torch.dtype, layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    make, settings, ending = FORMS[form]
    tolerance = {torch.bfloat16: 2e-2, torch.float32: 1e-5}.get(kind, 0)
    for kernel, dilation, groups, outputs in ((3, 1, 1, 8), (1, 1, 1, 8), (3, 2, 4, 8), (1, 1, 1, 1)):
        padding = dilation * (kernel // 2)
        plain = nn.Conv2d(8, outputs, kernel, padding=padding, dilation=dilation, groups=groups).to(kind)
        features, other = (torch.randn(2, c, 17, 12).to(kind).to(memory_format=layout) for c in (8, outputs))
        fused = make(plain, *settings)
        given = (features, other) if make is JoinedConvolution else (features,)
        with torch.no_grad():
            expected = ending(plain(features), other)
            for _ in range(2):
                torch.testing.assert_close(fused(*given), expected, rtol=tolerance, atol=tolerance)


def test_a_pass_with_gradients_has_them() -> None:
    fused = ActivatedConvolution(nn.Conv2d(4, 4, 3, padding=1))
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
