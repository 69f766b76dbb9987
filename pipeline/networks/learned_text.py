"""A learned text prior, added to the given text or used alone."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

CONTEXT_LENGTH = 16


class LearnedText(nn.Module):
    """Learnable context vectors, after CoOp (Zhou et al., IJCV 2022), in the space of the encoded text.

    CoOp learns vectors ahead of the words that go into the text tower. Here the tower is not part of the network, so
    they stand ahead of the token features that come out of it; their mean is added to the global feature.
    """

    def __init__(self, text_dim: int) -> None:
        """
        Args:
            text_dim: D of the text features.
        """
        super().__init__()
        # unit length on average, as encoded tokens are
        self.context = nn.Parameter(torch.randn(CONTEXT_LENGTH, text_dim) * text_dim**-0.5)

    def text(self, given: torch.Tensor | None, batch: int) -> torch.Tensor:
        """Global feature (N, D) of unit length: the context's mean, added to the given feature (N, D) if any."""
        mean = self.context.mean(dim=0).expand(batch, -1)
        return F.normalize(mean if given is None else given.to(mean.dtype) + mean, dim=-1)

    def tokens(self, given: torch.Tensor | None, batch: int) -> torch.Tensor:
        """Token features: the context (N, 16, D), followed by the given tokens (N, L, D) if any."""
        context = self.context.expand(batch, -1, -1)
        return context if given is None else torch.cat([context, given.to(context.dtype)], dim=1)
