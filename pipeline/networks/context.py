"""Multi-scale context at the bottleneck."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution
from torch import nn

from pipeline.networks.blocks import ACTIVATION, ControlledResidual, norm_spec

REDUCTION = 4
FEWEST_CHANNELS = 32
DILATIONS = (1, 2, 3)
RESIDUAL_LIMIT = 0.15
RESIDUAL_START = -2.2


class ContextBlock(nn.Module):
    """Compress, three depthwise 3x3 of dilation 1, 2, 3, each with a 1x1, concatenate, fuse.

    Residual `x + 0.15 * sigmoid(b) * z`. The published norm is `group`.
    """

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        hidden = max(channels // REDUCTION, FEWEST_CHANNELS)

        def pointwise(inputs: int, outputs: int, act: tuple | None = ACTIVATION) -> Convolution:
            return Convolution(2, inputs, outputs, kernel_size=1, act=act, norm=norm_spec(norm, outputs), bias=False)

        self.compress = pointwise(channels, hidden)
        self.scales = nn.ModuleList(
            nn.Sequential(
                Convolution(
                    2, hidden, hidden, kernel_size=3, dilation=dilation, groups=hidden, conv_only=True, bias=False
                ),
                pointwise(hidden, hidden),
            )
            for dilation in DILATIONS
        )
        self.fuse = nn.Sequential(
            pointwise((1 + len(DILATIONS)) * hidden, hidden), pointwise(hidden, channels, act=None)
        )
        self.residual = ControlledResidual(channels, RESIDUAL_LIMIT, RESIDUAL_START)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add context to the features x (N, C, H, W)."""
        compressed = self.compress(x)
        scales = [compressed, *(scale(compressed) for scale in self.scales)]
        return self.residual(x, self.fuse(torch.cat(scales, dim=1)))
