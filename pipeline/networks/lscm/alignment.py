"""Region alignment: pull the features of the pore region towards the text (training only)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks.blocks import at_least_single

PROJECTION = 256


def pool_region(features: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of the features over a region.

    The mask is brought to the features' size by area averaging, so that pores thinner than a cell still count
    (nearest-neighbour sampling would miss most of them).

    Args:
        features: (N, C, h, w).
        mask: (N, 1, H, W) in [0, 1].

    Returns:
        The mean (N, C), zero for an empty region, and the region's weight in cells (N,).
    """
    cells = F.interpolate(mask.float(), size=features.shape[2:], mode="area")
    weight = cells.sum((1, 2, 3))
    total = (at_least_single(features) * cells).sum((2, 3))
    return total / weight.clamp_min(torch.finfo(weight.dtype).tiny).unsqueeze(1), weight


class RegionAlignment(nn.Module):
    """`1 - cos(phi_v(pool(F_B, M)), phi_t(t))`, phi two-layer MLPs to 256."""

    def __init__(self, channels: int, text_dim: int) -> None:
        """
        Args:
            channels: C of the bottleneck.
            text_dim: D of the text feature.
        """
        super().__init__()
        self.visual_projection = _projection(channels)
        self.text_projection = _projection(text_dim)

    def forward(self, features: torch.Tensor, text: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Args:
            features: (N, C, h, w) of the bottleneck.
            text: (N, D).
            mask: (N, 1, H, W), the true mask at the (padded) image's size.

        Returns:
            The loss per sample (N,); zero for a sample without pores, as it has no region to align.
        """
        region, weight = pool_region(features, mask)
        visual, words = self.visual_projection(region.to(text.dtype)), self.text_projection(text)
        loss = 1 - F.cosine_similarity(at_least_single(visual), at_least_single(words), dim=1)
        return torch.where(weight > 0, loss, torch.zeros_like(loss))


def _projection(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, PROJECTION), nn.ReLU(inplace=True), nn.Linear(PROJECTION, PROJECTION))
