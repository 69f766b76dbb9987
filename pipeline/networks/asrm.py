"""ASRM: anisotropic structure refinement by straight, horizontal and vertical branches."""

from __future__ import annotations

from functools import reduce

import torch
from monai.networks.blocks import Convolution
from torch import nn

from pipeline.networks.blocks import ACTIVATION, ControlledResidual, norm_spec
from pipeline.networks.snake import SnakeConvolution

REDUCTION = 4
FEWEST_CHANNELS = 16
RESIDUAL_LIMIT = 0.30
RESIDUAL_START = -2.0


class ASRM(nn.Module):
    """Anisotropic structure refinement module.

    Compress, three branches (3x3 and two snake convolutions), a softmax over the branches at every pixel, fuse, and
    the controlled residual `x + 0.30 * sigmoid(a) * z`. With both snakes left out the 3x3 branch stands alone.
    The published norm is `group`.
    """

    def __init__(self, channels: int, norm: str, horizontal: bool = True, vertical: bool = True) -> None:
        super().__init__()
        hidden = max(channels // REDUCTION, FEWEST_CHANNELS)
        gate_hidden = hidden // 2

        def convolution(inputs: int, outputs: int, kernel_size: int, act: tuple | None = ACTIVATION) -> Convolution:
            return Convolution(
                2, inputs, outputs, kernel_size=kernel_size, act=act, norm=norm_spec(norm, outputs), bias=False
            )

        self.compress = convolution(channels, hidden, 1)
        self.branches = nn.ModuleList([convolution(hidden, hidden, 3)])
        if horizontal:
            self.branches.append(SnakeConvolution(hidden, vertical=False, norm=norm))
        if vertical:
            self.branches.append(SnakeConvolution(hidden, vertical=True, norm=norm))
        count = len(self.branches)
        self.gate = (
            nn.Sequential(
                convolution(count * hidden, gate_hidden, 1),
                Convolution(2, gate_hidden, count, kernel_size=1, conv_only=True),
            )
            if count > 1
            else None
        )
        self.fuse = nn.Sequential(convolution(hidden, hidden, 3), convolution(hidden, channels, 1, act=None))
        self.residual = ControlledResidual(channels, RESIDUAL_LIMIT, RESIDUAL_START)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine the features x (N, C, H, W)."""
        compressed = self.compress(x)
        if self.gate is not None and x.device.type == "cpu":  # snakes sample map by map there
            compressed = compressed.contiguous()
        branches = [branch(compressed) for branch in self.branches]
        z = branches[0]
        if self.gate is not None:
            weights = self.gate(torch.cat(branches, dim=1)).softmax(dim=1).split(1, dim=1)
            z = reduce(torch.add, map(torch.mul, weights, branches))
        return self.residual(x, self.fuse(z))
