"""What every network of the package promises; a new network joins by a line in `cases.CASES`."""

from __future__ import annotations

import io

import pytest
import torch

from pipeline.networks import SegmentationLoss, SegmentationOutput, fuse_norms, pin_statistics
from tests.networks.cases import CASES, batch, build

pytestmark = pytest.mark.parametrize("case", CASES)


@pytest.mark.parametrize("size", [(16, 16), (17, 67), (33, 48), (64, 31)])
@pytest.mark.parametrize(("channels", "phases"), [(1, None), (3, 2)], ids=["grey", "colour-two-phases"])
def test_output_has_the_size_of_the_input(case: str, size: tuple[int, int], channels: int, phases: int | None) -> None:
    network = build(case, channels, phases or 1).eval()
    with torch.no_grad():
        logits = network(**batch(1, channels, *size, phases=phases))
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (1, phases or 1, *size)
    assert logits.isfinite().all()


def test_trains_on_a_single_smallest_image(case: str) -> None:
    network = build(case)
    inputs = batch(1, 1, 16, 16)
    SegmentationLoss()(network(**inputs), inputs["mask"]).backward()


@pytest.mark.parametrize("phases", [None, 3])
def test_every_parameter_gets_a_gradient(case: str, phases: int | None) -> None:
    network = build(case, 1, phases or 1)
    inputs = batch(2, 1, 64, 64, phases=phases)
    SegmentationLoss()(network(**inputs), inputs["mask"]).backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []


def test_one_step_lowers_the_loss(case: str) -> None:
    network, loss = build(case), SegmentationLoss()
    inputs = batch(2, 1, 48, 48)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02)
    before = loss(network(**inputs), inputs["mask"])
    before.backward()
    optimiser.step()
    assert loss(network(**inputs), inputs["mask"]) < before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_stays_near_single(case: str, dtype: torch.dtype) -> None:
    network, inputs = build(case).eval(), batch()
    with torch.no_grad():
        single = network(**inputs)
        with torch.autocast("cpu", dtype=dtype):
            half = network(**inputs)
    # two digits of bfloat16 through some thirty layers
    torch.testing.assert_close(half.float(), single, rtol=0.05, atol=0.05)


def test_trains_in_bfloat16(case: str) -> None:
    network, inputs = build(case), batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = network(**inputs)
    loss = SegmentationLoss()(output, inputs["mask"])
    loss.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_all_weights_in_half_precision(case: str, dtype: torch.dtype) -> None:
    network = build(case).to(dtype)
    inputs = {name: tensor.to(dtype) for name, tensor in batch().items()}
    assert SegmentationLoss()(network(**inputs), inputs["mask"]).isfinite()
    pinned = pin_statistics(network, inputs["image"], inputs["text"], inputs["tokens"])
    with torch.no_grad():
        logits = fuse_norms(pinned)(**inputs)
    assert logits.dtype == dtype
    assert logits.isfinite().all()


def test_state_dict_round_trip(case: str) -> None:
    network, inputs = build(case), batch()
    network(**inputs)  # moves the running statistics away from their start
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other = build(case, seed=7)
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        assert torch.equal(other.eval()(**inputs), network.eval()(**inputs))


def test_samples_do_not_mix_at_inference(case: str) -> None:
    network, inputs = build(case).eval(), batch(3)
    with torch.no_grad():
        together = network(**inputs)
        alone = network(**{name: value[1:2] for name, value in inputs.items()})
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)


def test_training_returns_a_tensor_without_a_mask(case: str) -> None:
    inputs = batch()
    del inputs["mask"]
    assert isinstance(build(case)(**inputs), torch.Tensor)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_traced_network_takes_other_sizes(case: str) -> None:
    network = build(case).eval()
    first, second = (
        tuple(batch(n, 1, h, w)[key] for key in ("image", "text", "tokens")) for n, h, w in ((2, 48, 32), (3, 32, 80))
    )
    with torch.no_grad():
        traced = torch.jit.trace(network, first, check_trace=False)
        torch.testing.assert_close(traced(*second), network(*second))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.rand(1, 48, 32), "N, C, H, W"),
        (torch.rand(0, 1, 48, 32), "empty batch"),
        (torch.zeros(2, 1, 48, 32, dtype=torch.uint8), "torch.uint8: give normalised grey values"),
        (torch.rand(2, 2, 48, 32), "2 channels, the network was built for 1"),
        (torch.rand(2, 1, 15, 32), "15 x 32"),
    ],
    ids=["dims", "empty", "whole-numbers", "channels", "small"],
)
def test_refuses_an_image_that_does_not_fit(case: str, image: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(case)(**(batch() | {"image": image}))


def test_alignment_is_returned_only_in_training(case: str) -> None:
    network, inputs = build(case), batch()
    output = network(**inputs)
    if case.startswith("unet") or case == "vlsenet-all-off":
        assert isinstance(output, torch.Tensor)
        return
    assert isinstance(output, SegmentationOutput)
    assert output.alignment.shape == (2,)
    assert ((output.alignment >= 0) & (output.alignment <= 2)).all()
    assert isinstance(network.eval()(**inputs), torch.Tensor)
