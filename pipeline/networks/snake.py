"""Dynamic snake convolution: a line of taps that bends across itself."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution
from torch import nn

from pipeline.networks.blocks import ACTIVATION, at_least_single, norm_spec

TAPS = 5
_CENTRE = TAPS // 2


def snake_offsets(steps: torch.Tensor) -> torch.Tensor:
    """Offsets of the taps across the line, accumulated from the centre outwards.

    Neighbouring taps differ by one step of at most one pixel, so the line stays connected.

    Args:
        steps: (N, TAPS - 1, H, W) in (-1, 1): the taps before the centre in order, then those after it.

    Returns:
        Offsets in pixels (N, TAPS, H, W); the centre's is zero.
    """
    before = steps[:, :_CENTRE].flip(1).cumsum(1).flip(1)
    after = steps[:, _CENTRE:].cumsum(1)
    return torch.cat([before, torch.zeros_like(steps[:, :1]), after], dim=1)


def sample_along_snake(x: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Values of x at the taps of a horizontal line that is bent vertically.

    Tap k of the line centred on (row, column) reads x at (row + offsets[k], column + k - TAPS // 2). The column is a
    grid point, so that only the row needs (linear) interpolation. Coordinates beyond the border are clamped to it.

    Args:
        x: (N, C, H, W).
        offsets: in pixels, (N, TAPS, H, W).

    Returns:
        (N, C, TAPS, H, W).
    """
    batch, channels, height, width = x.shape
    # torch.arange keeps the size free in an exported graph, torch.linspace does not
    rows = torch.arange(height, device=x.device).view(height, 1) + offsets
    rows = rows.clamp(0, height - 1)
    taps = torch.arange(-_CENTRE, _CENTRE + 1, device=x.device).view(TAPS, 1, 1)
    columns = (torch.arange(width, device=x.device) + taps).clamp(0, width - 1)

    above = rows.detach().floor()
    weight = (rows - above).to(x.dtype).unsqueeze(1)
    above = above.long()
    below = (above + 1).clamp(max=height - 1)
    flat = x.flatten(2)

    def read(row: torch.Tensor) -> torch.Tensor:
        index = (row * width + columns).reshape(batch, 1, -1).expand(-1, channels, -1)
        return flat.gather(2, index).view(batch, channels, TAPS, height, width)

    return torch.lerp(read(above), read(below), weight)


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
        if self.vertical:
            taps = sample_along_snake(x.transpose(2, 3), offsets.transpose(2, 3)).transpose(3, 4)
        else:
            taps = sample_along_snake(x, offsets)
        return self.weigh_taps(taps.flatten(1, 2))
