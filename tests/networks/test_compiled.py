"""Every network compiles to one graph, as a training with `--set compile=default` wants it."""

from __future__ import annotations

import pytest
import torch

from pipeline.networks import SegmentationLoss
from tests.networks.cases import CASES, batch, build

#: the other cases differ from these by their norm alone
_ALWAYS = ("unet-group", "vlsenet-batch", "vlsenet-as-trained", "vlsenet-all-off")


@pytest.mark.parametrize(
    "case", [case if case in _ALWAYS else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_compiles_as_one_graph(case: str) -> None:
    network, inputs = build(case), batch()
    expected = SegmentationLoss()(network(**inputs), inputs["mask"])
    gradients = torch.autograd.grad(expected, list(network.parameters()))
    torch.compiler.reset()  # what was compiled for another case counts against a limit
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    loss = SegmentationLoss()(compiled(**inputs), inputs["mask"])
    torch.testing.assert_close(loss, expected)
    for gradient, wanted in zip(torch.autograd.grad(loss, list(network.parameters())), gradients, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-5)
