"""Widths at which the U-Net has as many parameters as another network: a baseline of equal size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import nn

from pipeline.networks.unet import UNet

#: Widths are multiples of it, which suits both group normalisation and the hardware.
STEP = 8


def parameter_count(network: nn.Module) -> int:
    """All parameters of a network; buffers (running statistics, say) are not among them."""
    return sum(parameter.numel() for parameter in network.parameters())


def parameters_of(build: Callable[[], nn.Module]) -> int:
    """Parameters of the network that `build` makes, without the memory and time of making it."""
    with torch.device("meta"):
        return parameter_count(build())


def unet_of_equal_parameters(parameters: int, features: Sequence[int], in_channels: int = 1) -> tuple[int, ...]:
    """Widths of the U-Net whose number of parameters comes nearest.

    The widths stand to each other as those given, to the next multiple of 8; the three deepest, which hold nearly
    all parameters, are then tried a step narrower and wider.

    Args:
        parameters: the number to come near to.
        features: widths of the four levels and the bottleneck that give the proportions.
        in_channels: channels of the image.

    Returns:
        Five widths, each a multiple of 8.
    """

    def count(widths: Sequence[int]) -> int:
        return parameters_of(lambda: UNet(in_channels, 1, widths))

    def scaled(bottleneck: int) -> tuple[int, ...]:
        scale = bottleneck / features[-1]
        return tuple(max(STEP, STEP * round(width * scale / STEP)) for width in features)

    bottleneck = STEP
    while count(scaled(bottleneck + STEP)) <= parameters:
        bottleneck += STEP
    *shallow, level_3, level_4, deepest = scaled(bottleneck)
    steps = (-STEP, 0, STEP)
    near = [
        (*shallow, level_3 + a, level_4 + b, deepest + c)
        for a, b, c in product(steps, repeat=3)
        if min(level_3 + a, level_4 + b, deepest + c) > 0
    ]
    return min(near, key=lambda widths: abs(count(widths) - parameters))
