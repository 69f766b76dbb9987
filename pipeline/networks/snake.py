"""Dynamic snake convolution: a line of taps that bends across itself."""

from __future__ import annotations

from itertools import accumulate

import torch
from monai.networks.blocks import Convolution
from torch import nn

from pipeline.networks.blocks import ACTIVATION, at_least_single, norm_spec
from pipeline.networks.snake_sampling import CENTRE, TAPS, sample_along_snake


def snake_offsets(steps: torch.Tensor) -> torch.Tensor:
    """Offsets of the taps across the line, accumulated from the centre outwards.

    Neighbouring taps differ by one step of at most one pixel, so the line stays connected.

    Args:
        steps: (N, TAPS - 1, H, W) in (-1, 1): the taps before the centre in order, then those after it.

    Returns:
        Offsets in pixels (N, TAPS, H, W); the centre's is zero.
    """
    maps = steps.split(1, dim=1)
    before = list(accumulate(reversed(maps[:CENTRE]), torch.add))
    after = list(accumulate(maps[CENTRE:], torch.add))
    return torch.cat([*reversed(before), torch.zeros_like(maps[0]), *after], dim=1)


class SnakeConvolution(nn.Module):
    """Dynamic snake convolution of five taps (Qi et al., ICCV 2023), horizontal or vertical.

    A 3x3 convolution predicts the line's steps, bounded by tanh; the taps' values are weighted by one convolution,
    then norm and activation.
    """

    def __init__(self, channels: int, vertical: bool, norm: str) -> None:
        """
        Args:
            channels: C in and out.
            vertical: the line runs along the height and bends sideways; else along the width.
            norm: the network's norm (published: group).
        """
        super().__init__()
        self.vertical = vertical
        self.to_steps = Convolution(
            2, channels, TAPS - 1, kernel_size=3, act="tanh", norm=norm_spec(norm, TAPS - 1), bias=False
        )
        self.weigh_taps = Convolution(
            2,
            channels * TAPS,
            channels,
            kernel_size=1,
            act=ACTIVATION,
            norm=norm_spec(norm, channels),
            bias=False,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        Args:
            x: (N, C, H, W).

        Returns:
            (N, C, H, W).
        """
        offsets = snake_offsets(at_least_single(self.to_steps(x)))
        return self.weigh_taps(sample_along_snake(x, offsets, self.vertical).flatten(1, 2))
