"""Region alignment: in training, what the network sees in a region is drawn to the text that asks for the region."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks.blocks import at_least_single

PROJECTION = 256
#: as fixed in InfoNCE of features of unit length; the smaller, the more the nearest of the other texts counts
TEMPERATURE = 0.1
#: stands for minus infinity, which has no gradient where no phase is there
_FAR = -1e4


def pool_region(features: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of the features over a region.

    The mask is brought to the features' size by area averaging, so that pores thinner than a cell still count
    (nearest-neighbour sampling would miss most of them).

    Args:
        features: (N, C, h, w).
        mask: (N, 1, H, W) in [0, 1]; what is not known, below 0, is not of the region.

    Returns:
        The mean (N, C), zero for an empty region, and the region's weight in cells (N,).
    """
    cells = F.interpolate(mask.float().clamp_min(0), size=features.shape[2:], mode="area")
    weight = cells.sum((1, 2, 3))
    total = (at_least_single(features) * cells).sum((2, 3))
    return total / weight.clamp_min(torch.finfo(weight.dtype).tiny).unsqueeze(1), weight


class RegionAlignment(nn.Module):
    """`1 - cos(phi_v(pool(F_B, M)), phi_t(t))`, phi two-layer MLPs to 256: the published form."""

    def __init__(self, channels: int, text_dim: int) -> None:
        super().__init__()
        self.visual_projection = _projection(channels)
        self.text_projection = _projection(text_dim)

    def forward(self, features: torch.Tensor, text: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Args:
            features: (N, C, h, w) of the bottleneck, calibrated by the text.
            text: (N, D).
            mask: (N, 1, H, W), the true mask at the (padded) image's size.

        Returns:
            The loss per sample (N,); zero for a sample without pores, as it has no region to align.
        """
        region, weight = pool_region(features, mask)
        visual, words = self.visual_projection(region.to(text.dtype)), self.text_projection(text)
        loss = 1 - F.cosine_similarity(at_least_single(visual), at_least_single(words), dim=1)
        return torch.where(weight > 0, loss, torch.zeros_like(loss))


class PhaseContrast(RegionAlignment):
    """InfoNCE (van den Oord et al., arXiv 1807.03748) of regions and texts: each region has to find its phase's text
    among those of all phases that occur in the batch.

    The published form pulls a region to its text and pushes it from none, so that one direction for all would do. And
    it pools features that the text has been written into already, which it could just read off again. Here the features
    are the encoder's own: they have to tell the phases apart before any of them is asked for. In a batch with regions
    of a single phase there is nothing to choose from, and the loss is zero.
    """

    def forward(self, features: torch.Tensor, text: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """
        Args:
            features: (N, C, h, w) of the encoder.
            text: of each phase, (N, K, D).
            mask: of each phase, (N, K, H, W), at the (padded) image's size, negative where not known.

        Returns:
            The mean loss of each sample's regions (N,); zero for a sample without regions.
        """
        pooled = [pool_region(features, one) for one in mask.split(1, dim=1)]
        regions, weights = (torch.stack(parts, dim=1) for parts in zip(*pooled, strict=True))
        visual, words = self.visual_projection(regions.to(text.dtype)), self.text_projection(text)
        visual, words = (F.normalize(at_least_single(vectors), dim=-1) for vectors in (visual, words))
        there = weights > 0
        likeness = (visual @ words.transpose(1, 2) / TEMPERATURE).masked_fill(~there.any(0), _FAR)
        loss = likeness.logsumexp(dim=2) - likeness.diagonal(dim1=1, dim2=2)
        return torch.where(there, loss, torch.zeros_like(loss)).sum(1) / there.sum(1).clamp_min(1)


def _projection(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, PROJECTION), nn.ReLU(inplace=True), nn.Linear(PROJECTION, PROJECTION))
