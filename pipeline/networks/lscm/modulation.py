"""Semantic modulation (FiLM) of a feature map by the text, with re-normalisation."""

from __future__ import annotations

import torch
from torch import nn

from pipeline.networks.blocks import SpatialMean, at_least_single
from pipeline.networks.broadcast import scale_shift

HIDDEN = 256
GAMMA_LIMIT = 0.5
START = 1e-3


class SemanticModulation(nn.Module):
    """`F' = F * (1 + gamma(t)) + beta(t)`, then re-normalised to the spatial spread that F had.

    FiLM: Perez et al., AAAI 2018. gamma and beta, one per channel, come from a two-layer MLP of the text feature.

    Re-normalisation scales every sample's channel about its mean until its spatial standard deviation is that of F,
    the statistics taken as constants in the backward pass. As `std(F') = |1 + gamma| std(F)`, the factor is
    `1 / |1 + gamma|`, with no deviation to measure; what remains is to know the mean of F:
    `F'' = sign(1 + gamma) (F - mean(F)) + (1 + gamma) mean(F) + beta`.
    So with re-normalisation the text moves each channel up or down, and gamma acts through the channel's mean alone.
    That mean is the tile's, and the same pixel gets another value in another tile, unless it is pinned to a scan's
    (`pin_statistics`).

    What moves a whole channel goes through a convolution and is then taken away by a norm that measures each image:
    instance norm, and any norm whose statistics are pinned. Of a re-normalised modulation little more is left than what
    it adds to all logits, a shift of the threshold. Without re-normalisation gamma weighs the channels against each
    other, which no norm undoes; so trainings leave re-normalisation out (`train.yaml`).

    Two deviations from the published form, both for stability at learning rates that suit a U-Net. gamma is bounded
    to +-0.5, so that no channel vanishes or changes its sign. And the MLP's output is divided by the square root of
    its width: its input hardly changes from batch to batch, so that under Adam all its weights step together and
    the sum over `HIDDEN` of them would run away.
    """

    def __init__(self, channels: int, text_dim: int, renormalise: bool) -> None:
        """
        Args:
            channels: C of the feature map.
            text_dim: D of the text feature.
            renormalise: keep the spatial standard deviation of F.
        """
        super().__init__()
        self.mean = SpatialMean() if renormalise else None
        last = nn.Linear(HIDDEN, 2 * channels)
        # not zero, which would leave the first layer without a gradient
        nn.init.normal_(last.weight, std=START)
        nn.init.zeros_(last.bias)
        self.to_gamma_beta = nn.Sequential(nn.Linear(text_dim, HIDDEN), nn.ReLU(inplace=True), last)

    def forward(self, features: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """
        Args:
            features: (N, C, H, W).
            text: (N, D).

        Returns:
            Modulated features (N, C, H, W).
        """
        coefficients = at_least_single(self.to_gamma_beta(text)) * HIDDEN**-0.5
        gamma, beta = coefficients[..., None, None].chunk(2, dim=1)
        scale, shift = 1 + GAMMA_LIMIT * torch.tanh(gamma / GAMMA_LIMIT), beta
        if self.mean is not None:
            mean = self.mean(features.detach())[..., None, None] * scale.detach() + beta.detach()
            keep = 1 / scale.detach()
            scale, shift = scale * keep, shift * keep + mean * (1 - keep)
        return scale_shift(features, scale, shift)
