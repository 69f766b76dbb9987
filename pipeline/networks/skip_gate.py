"""Gated skip connection: the decoder decides what it takes from the encoder."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks.blocks import SpatialMean
from pipeline.networks.kernels import OneMapConvolution, scale_twice, trains_here
from pipeline.networks.lean_gradients import read

REDUCTION = 8
FEWEST_HIDDEN = 8
START_STRENGTH = 0.01
START_BIAS = 0.5


class SkipGate(nn.Module):
    """`s * (1 + tanh(a_c) d_c) * (1 + tanh(a_s) d_s)` with deltas d in (-1, 1), from the decoder feature g and skip s.

    The channel delta comes from the global averages of [g, s] through a two-layer MLP, the spatial one from a 1x1
    convolution of [g, s]. g is read before it is upsampled: a 1x1 convolution and bilinear upsampling commute, so the
    spatial gate is the same at a quarter of the cost. The strengths a start at 0.01: at the published 0 the gate's
    layers have no gradient in the first step.

    The averages are the tile's, and the same pixel gets another channel gate in another tile, unless they are pinned
    to a scan's (`pin_statistics`).
    """

    def __init__(self, skip_channels: int, decoder_channels: int) -> None:
        super().__init__()
        hidden = max(FEWEST_HIDDEN, skip_channels // REDUCTION)
        first = nn.Linear(decoder_channels + skip_channels, hidden)
        # averages differ little from image to image: a hidden unit that starts at zero stays there, and with the usual
        # bias one gate of 240 starts with all of them so, without a gradient
        nn.init.constant_(first.bias, START_BIAS)
        self.to_channel_delta = nn.Sequential(first, nn.ReLU(inplace=True), nn.Linear(hidden, skip_channels))
        self.decoder_mean = SpatialMean()
        self.skip_mean = SpatialMean()
        self.skip_to_spatial = OneMapConvolution(skip_channels)
        self.decoder_to_spatial = OneMapConvolution(decoder_channels, bias=False)
        self.channel_strength = nn.Parameter(torch.tensor(START_STRENGTH))
        self.spatial_strength = nn.Parameter(torch.tensor(START_STRENGTH))

    def forward(self, skip: torch.Tensor, decoder: torch.Tensor) -> torch.Tensor:
        """Gate the skip (N, C, H, W) by the decoder feature (N, G, H / 2, W / 2)."""
        _, decoder_mean, of_decoder = _read(decoder, self.decoder_mean, self.decoder_to_spatial)
        skip, skip_mean, of_skip = _read(skip, self.skip_mean, self.skip_to_spatial)
        channel = self.channel_factors(decoder_mean, skip_mean)
        coarse = F.interpolate(of_decoder, scale_factor=2.0, mode="bilinear", align_corners=False)
        spatial = 1 + self.spatial_strength.tanh() * (coarse + of_skip).tanh()
        return scale_twice(skip, channel[..., None, None], spatial)

    def channel_factors(self, decoder_mean: torch.Tensor, skip_mean: torch.Tensor) -> torch.Tensor:
        """What each channel of the skip is multiplied by (N, C), from averages (N, G) and (N, C)."""
        delta = self.to_channel_delta(torch.cat([decoder_mean, skip_mean], dim=1)).tanh()
        return 1 + self.channel_strength.tanh() * delta


def _read(
    features: torch.Tensor, mean: nn.Module, to_map: OneMapConvolution
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features (N, C, H, W) as they are, their averages (N, C), and their map (N, 1, H, W)."""
    if not (trains_here(features) and type(mean) is SpatialMean):
        return features, mean(features), to_map(features)
    same, averages, summed = read(features, to_map.weight.flatten())
    return same, averages, summed if to_map.bias is None else summed + to_map.bias
