"""The networks on a GPU against the same on the CPU: ``pytest -m gpu``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from pipeline.networks import SegmentationLoss, inference_form, pin_statistics
from tests.networks.cases import CASES, batch, build

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU"),
    pytest.mark.parametrize("case", CASES),
]

#: what inference is given
GIVEN = ("image", "text", "tokens")
LAYOUTS = (torch.contiguous_format, torch.channels_last)


@pytest.fixture(autouse=True)
def _float32_is_float32() -> Iterator[None]:
    """TensorFloat-32, PyTorch's default for convolutions, has three digits only."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def on_gpu(network: nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    return network.to("cuda"), {name: tensor.to("cuda") for name, tensor in inputs.items()}


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("size", [(16, 16), (33, 48)])
def test_logits(case: str, size: tuple[int, int], layout: torch.memory_format) -> None:
    inputs = batch(2, 1, *size)
    with torch.no_grad():
        expected = build(case).eval()(**inputs)
        network, inputs = on_gpu(build(case).eval(), inputs)
        logits = network.to(memory_format=layout)(**inputs)
    torch.testing.assert_close(logits.cpu(), expected, rtol=1e-3, atol=1e-4)


def test_gradients(case: str) -> None:
    inputs = batch(2, 1, 64, 64)
    expected = build(case).double()
    wide = {name: tensor.double() for name, tensor in inputs.items()}
    SegmentationLoss()(expected(**wide), wide["mask"]).backward()
    network, inputs = on_gpu(build(case), inputs)
    SegmentationLoss()(network(**inputs), inputs["mask"]).backward()
    for (name, a), b in zip(network.named_parameters(), expected.parameters(), strict=True):
        error = (a.grad.cpu().double() - b.grad).norm() / b.grad.norm()
        assert error < 0.05, f"{name}: {error}"


def test_as_inference_runs_it(case: str) -> None:
    """Pinned, in the form for inference on either: in float32 the CPU's answer, in bfloat16 near it."""
    inputs = batch(2, 1, 64, 64)
    images = {name: inputs[name] if name == "image" else inputs[name][:1].expand_as(inputs[name]) for name in GIVEN}
    with torch.no_grad():
        expected = pin_statistics(build(case), **images)(**images).sigmoid()
        network, images = on_gpu(build(case), images)
        pinned, text = pin_statistics(network, **images), (images["text"], images["tokens"])
        single = inference_form(pinned, *text)(**images).sigmoid()
        with torch.autocast("cuda", torch.bfloat16):
            half = inference_form(pinned, *text)(**images).float().sigmoid()
    torch.testing.assert_close(single.cpu(), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(half, single, rtol=0, atol=0.05)


def test_trains_in_bfloat16(case: str) -> None:
    network, inputs = on_gpu(build(case), batch(2, 1, 64, 64))
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(10):
        with torch.autocast("cuda", torch.bfloat16):
            output = network(**inputs)
        loss = SegmentationLoss()(output, inputs["mask"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert all(torch.isfinite(p).all() for p in network.parameters())
    assert losses[-1] < losses[0]
