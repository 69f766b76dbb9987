"""A text prior that is learned with the network, in the place of encoded text or beside it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

CONTEXT_LENGTH = 16


class LearnedText(nn.Module):
    """Learnable context vectors, after CoOp (Zhou et al., IJCV 2022), in the space of the encoded text.

    CoOp learns vectors ahead of the words that go into the text tower. Here the tower is not part of the network, so
    they stand ahead of the token features that come out of it; their mean is added to the global feature.

    With several phases the context is shared, and each phase has a vector of its own besides, as CoOp's class token.
    What is given says which: features whose first K values are the phase's one-hot (text source `learned`).
    """

    def __init__(self, text_dim: int, phases: int = 1) -> None:
        """
        Args:
            text_dim: D of the text features.
            phases: K; with one there is no vector of its own.

        Raises:
            ValueError: more phases than the features have values.
        """
        super().__init__()
        if phases > text_dim:
            raise ValueError(f"text of {text_dim} values has no room for {phases} phases")
        # unit length on average, as encoded tokens are
        self.context = nn.Parameter(torch.randn(CONTEXT_LENGTH, text_dim) * text_dim**-0.5)
        self.own = nn.Parameter(torch.randn(phases, text_dim) * text_dim**-0.5) if phases > 1 else None

    def text(self, given: torch.Tensor | None, batch: int) -> torch.Tensor:
        """Global feature of unit length: the context's mean, added to the given feature if any.

        Args:
            given: (N, D), or of K phrases (N, K, D); None: no feature, with several phases that of each.
            batch: N.

        Returns:
            As what is given; where nothing is (N, D), with several phases (N, K, D).
        """
        mean = self.context.mean(dim=0)
        if self.own is not None:
            own = self.own.expand(batch, -1, -1) if given is None else self._own(given, self.own)
            return F.normalize(own + mean, dim=-1)
        mean = mean.expand(batch, -1)
        return F.normalize(mean if given is None else given.to(mean.dtype) + mean, dim=-1)

    def tokens(self, given: torch.Tensor | None, batch: int) -> torch.Tensor:
        """Token features: the 16 vectors of the context, followed by the given tokens if any.

        Args:
            given: (N, L, D), or of K phrases (N, K, L, D); None: no tokens, with several phases that of each.
            batch: N.

        Returns:
            (N, 16 + L, D) or (N, K, 16 + L, D); where nothing is given (N, 16, D), with several phases (N, K, 17, D).
        """
        if self.own is not None:
            added = self.own.expand(batch, -1, -1).unsqueeze(2) if given is None else self._own(given, self.own)
        elif given is None:
            return self.context.expand(batch, -1, -1)
        else:
            added = given.to(self.context.dtype)
        return torch.cat([self.context.expand(*added.shape[:-2], -1, -1), added], dim=-2)

    def _own(self, given: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """The phases' own vectors (..., D) that features (..., D) name."""
        return given[..., : len(own)].to(own.dtype) @ own
