from __future__ import annotations

import pytest
import torch

from pipeline.experiments.one_run import network_costs
from pipeline.networks import build_network


def test_operations_of_the_u_net_are_those_of_its_convolutions():
    settings = {"network": "unet", "features": [8, 16, 24, 32, 40], "text_dim": 16, "norm": "instance"}
    parameters, gflops = network_costs(settings, 64)
    network = build_network(**settings)
    counted = []

    def count(layer: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        # each weight acts once on every position: of the output, or of the input where it spreads it out
        transposed = isinstance(layer, torch.nn.ConvTranspose2d)
        positions = (inputs[0] if transposed else output).shape[2:].numel()
        counted.append(2 * layer.weight.numel() * positions)

    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            layer.register_forward_hook(count)
    network.eval()(torch.zeros(1, 1, 64, 64))
    assert gflops == pytest.approx(sum(counted) / 1e9)
    assert parameters == sum(weight.numel() for weight in network.parameters())


def test_vlsenet_takes_more_with_its_parts_than_without():
    settings = {"network": "vlsenet", "features": [8, 8, 8, 8, 8], "text_dim": 16, "norm": "instance"}
    parameters, gflops = network_costs({**settings, "learned_text": True}, 32)
    fewer, less = network_costs({**settings, "switches": {"context": False, "asrm_decoder": False}}, 32)
    assert fewer < parameters
    assert less < gflops


def test_several_phases_cost_one_encoder_and_a_decoder_for_each():
    settings = {"network": "vlsenet", "features": [8, 8, 8, 8, 8], "text_dim": 16, "norm": "instance"}
    one, two, three = (network_costs({**settings, "phases": phases}, 32)[1] for phases in (1, 2, 3))
    assert one < two < 2 * one
    assert three - two == pytest.approx(two - one, rel=1e-3)
    with_shading = network_costs({**settings, "in_channels": 2}, 32)[1]
    assert with_shading == pytest.approx(one + 2 * 8 * 9 * 32 * 32 / 1e9)  # 8 kernels of 3 by 3 px more


def test_a_network_with_surroundings_is_shown_some():
    settings = {"network": "unet", "features": [8, 8, 8, 8, 8], "text_dim": 16, "norm": "instance"}
    assert network_costs({**settings, "reach": 240}, 32)[1] > network_costs(settings, 32)[1]
