"""What a text can do to the answer: norms behind the modulation must not take it away again."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from pipeline.networks import VLSENet, pin_statistics
from pipeline.networks.lscm import SemanticModulation
from tests.networks.cases import ALL_OFF

TEXT_DIM = 8
SIDE = 256
MIDDLE = slice(112, 144)  # further from the border than its zero padding reaches


def effect(part: str, norm: str, renormalise: bool) -> float:
    """How much another text changes the picture of the logits, in spreads of the logits; a constant does not count.

    With statistics pinned to the image, as at inference.
    """
    torch.manual_seed(0)
    switches = dataclasses.replace(ALL_OFF, **{part: True, "renormalise": renormalise})
    network = VLSENet(1, 1, (4, 4, 8, 8, 8), TEXT_DIM, norm, switches=switches).double().eval()
    for module in network.modules():
        if isinstance(module, SemanticModulation):
            nn.init.normal_(module.to_gamma_beta[-1].weight, std=1.0)
    image = torch.randn(1, 1, SIDE, SIDE, dtype=torch.float64)
    texts = nn.functional.normalize(torch.randn(2, 1, TEXT_DIM, dtype=torch.float64), dim=2)
    with torch.no_grad():
        one, other = (pin_statistics(network, image, text)(image, text)[0, 0, MIDDLE, MIDDLE] for text in texts)
    return float((one - other).std() / one.std())


@pytest.mark.parametrize("norm", ["instance", "group", "batch"])
@pytest.mark.parametrize("part", ["modulate_skips", "modulate_decoder"])
def test_another_text_changes_the_picture(part: str, norm: str) -> None:
    assert effect(part, norm, renormalise=False) > 0.1


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("part", ["modulate_skips", "modulate_bottleneck", "modulate_decoder"])
def test_norms_that_measure_the_image_take_a_renormalised_modulation_away(part: str, norm: str) -> None:
    """Why trainings leave re-normalisation out."""
    assert effect(part, norm, renormalise=True) < 0.2 * effect(part, norm, renormalise=False)
