"""Decoder text adapter: a text-conditioned residual refinement."""

from __future__ import annotations

import torch
from monai.networks.blocks import Convolution
from torch import nn

from pipeline.networks.blocks import at_least_single, norm_spec
from pipeline.networks.broadcast import scale_shift

START_STRENGTH = 0.1
START = 1e-3


class TextAdapter(nn.Module):
    """`x + a * (h(x) * (1 + gamma(t)) + beta(t))`, h = 1x1 conv, norm, GELU, 1x1 conv; a starts at 0.1."""

    def __init__(self, channels: int, text_dim: int, norm: str) -> None:
        """
        Args:
            channels: C of the feature map.
            text_dim: D of the text feature.
            norm: the network's norm (published: group).
        """
        super().__init__()
        self.h = nn.Sequential(
            Convolution(2, channels, channels, kernel_size=1, act="GELU", norm=norm_spec(norm, channels), bias=False),
            Convolution(2, channels, channels, kernel_size=1, conv_only=True, bias=False),
        )
        self.to_gamma_beta = nn.Linear(text_dim, 2 * channels)
        self.strength = nn.Parameter(torch.tensor(START_STRENGTH))
        nn.init.normal_(self.to_gamma_beta.weight, std=START)
        nn.init.zeros_(self.to_gamma_beta.bias)

    def forward(self, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """
        Args:
            x: (N, C, H, W).
            text: (N, D).

        Returns:
            Refined features (N, C, H, W).
        """
        gamma, beta = at_least_single(self.to_gamma_beta(text))[..., None, None].chunk(2, dim=1)
        scale, shift = self.strength * (1 + gamma), self.strength * beta
        refinement = scale_shift(self.h(x), scale, shift)
        # autocast may give them different types
        return refinement.add_(x) if refinement.dtype == x.dtype else x + refinement
