from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.networks import fuse_norms, pin_statistics
from tests.networks.cases import CASES, batch, build


def trained(case: str) -> nn.Module:
    """A network whose norms differ from the identity, as after a training."""
    network = build(case)
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, std=0.3, generator=generator)
    with torch.no_grad():
        for seed in range(5):  # moves the running statistics
            network(**batch(seed=seed))
    return network.eval()


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


@pytest.mark.parametrize("case", CASES)
def test_the_same_function_without_batch_norms(case: str) -> None:
    network = trained(case)
    inputs = batch()
    del inputs["mask"]
    if "batch" not in case:
        network = pin_statistics(network, **inputs)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert count(network, nn.BatchNorm2d) > 0
    fused = fuse_norms(network.train())
    network.eval()
    assert not fused.training
    assert count(fused, nn.BatchNorm2d) == 0
    with torch.no_grad():
        for seed, size in ((1, (48, 32)), (2, (37, 51))):
            other = batch(2, 1, *size, seed=seed)
            torch.testing.assert_close(fused(**other), network(**other), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize(("case", "kind"), [("unet-group", nn.GroupNorm), ("vlsenet-instance", nn.InstanceNorm2d)])
def test_norms_over_the_tile_stay(case: str, kind: type[nn.Module]) -> None:
    network = trained(case)
    assert count(fuse_norms(network), kind) == count(network, kind) > 0


def test_memory_layout_is_kept() -> None:
    network = trained("unet-batch").to(memory_format=torch.channels_last)
    weights = [m.weight for m in fuse_norms(network).modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
