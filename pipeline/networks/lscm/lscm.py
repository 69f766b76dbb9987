"""LSCM: all the places where the text enters the network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import nn

from pipeline.networks.blocks import part
from pipeline.networks.lscm.alignment import RegionAlignment
from pipeline.networks.lscm.cross_attention import TokenCrossAttention
from pipeline.networks.lscm.modulation import SemanticModulation
from pipeline.networks.lscm.text_adapter import TextAdapter
from pipeline.networks.switches import Switches


class LSCM(nn.Module):
    """Language-driven semantic calibration module.

    Holds the parts that are switched on; a part that is left out passes features on unchanged. Levels count from
    0 (full resolution) to 3 (the deepest skip and the first decoder stage).
    """

    def __init__(self, features: Sequence[int], text_dim: int, norm: str, switches: Switches) -> None:
        """
        Args:
            features: widths of the four levels and the bottleneck.
            text_dim: D of the text features.
            norm: the network's norm.
            switches: which parts to build.
        """
        super().__init__()

        def modulation(on: bool, channels: int) -> nn.Module:
            return part(on, partial(SemanticModulation, channels, text_dim, switches.renormalise))

        *levels, bottleneck = features
        self.skips = nn.ModuleList(modulation(switches.modulate_skips, width) for width in levels)
        self.bottleneck = modulation(switches.modulate_bottleneck, bottleneck)
        self.cross_attention = part(switches.cross_attention, partial(TokenCrossAttention, bottleneck, text_dim))
        self.decoder = nn.ModuleList(modulation(switches.modulate_decoder, width) for width in levels)
        # the three deepest stages: at full resolution there is none
        self.adapters = nn.ModuleList(
            part(switches.text_adapters and level > 0, partial(TextAdapter, width, text_dim, norm))
            for level, width in enumerate(levels)
        )
        self.alignment = part(switches.alignment, partial(RegionAlignment, bottleneck, text_dim))

    def calibrate_skip(self, level: int, skip: torch.Tensor, text: torch.Tensor | None) -> torch.Tensor:
        """Semantic modulation of the skip (N, C, H, W) of a level by the text (N, D)."""
        return self.skips[level](skip, text)

    def calibrate_bottleneck(self, x: torch.Tensor, text: torch.Tensor | None) -> torch.Tensor:
        """Semantic modulation of the bottleneck (N, C, H, W) by the text (N, D)."""
        return self.bottleneck(x, text)

    def attend_tokens(self, x: torch.Tensor, tokens: torch.Tensor | None) -> torch.Tensor:
        """Cross-attention of the bottleneck (N, C, H, W) to the tokens (N, L, D)."""
        return self.cross_attention(x, tokens)

    def calibrate_decoder(self, level: int, x: torch.Tensor, text: torch.Tensor | None) -> torch.Tensor:
        """Semantic modulation of a decoder stage (N, C, H, W) by the text (N, D), then its text adapter."""
        return self.adapters[level](self.decoder[level](x, text), text)
