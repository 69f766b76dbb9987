from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.networks import fuse_norms, inference_form, pin_statistics
from pipeline.networks.asrm import ASRM
from pipeline.networks.inference import LowResolutionStage
from tests.networks.cases import CASES, batch, build


def double(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.double() for name, value in inputs.items() if name != "mask"}


@pytest.mark.parametrize("pinned", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_the_same_function(case: str, pinned: bool) -> None:
    network = build(case).double().eval()
    if pinned:
        network = pin_statistics(network, **double(batch(seed=2)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    form = inference_form(network.train())
    network.eval()
    assert not form.training
    with torch.no_grad():
        for count, size in ((1, (16, 16)), (2, (48, 32)), (1, (37, 51))):
            inputs = double(batch(count, 1, *size))
            torch.testing.assert_close(form(**inputs), network(**inputs), rtol=0, atol=1e-11)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize("case", ["unet-instance", "vlsenet-as-trained"])
def test_half_precision_is_as_near_as_with_norms_folded_alone(case: str) -> None:
    network = build(case).eval()
    pinned = pin_statistics(network, **{k: v for k, v in batch(seed=2).items() if k != "mask"})
    inputs = {name: value for name, value in batch(2, 1, 160, 96).items() if name != "mask"}
    with torch.no_grad():
        expected = pinned(**inputs)
        with torch.autocast("cpu", torch.bfloat16):
            folded, form = fuse_norms(pinned)(**inputs), inference_form(pinned)(**inputs)
    assert (form - expected).abs().mean() < 1.2 * (folded - expected).abs().mean()
    assert (form - expected).abs().max() < 1.5 * (folded - expected).abs().max()


def test_on_a_cpu_stages_convolve_before_they_upsample_and_snakes_find_their_layout() -> None:
    form = inference_form(build("vlsenet-instance"))
    assert sum(isinstance(module, LowResolutionStage) for module in form.modules()) == 4

    def layout(part: nn.Module) -> list[bool]:
        return [p.is_contiguous() for p in part.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]

    for asrm in (module for module in form.modules() if isinstance(module, ASRM)):
        assert all(layout(asrm.branches))
        assert not any(layout(asrm.fuse))
