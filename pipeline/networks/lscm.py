"""LSCM, language-driven semantic calibration: all the places where the text enters the network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from monai.networks.blocks import Convolution, CrossAttentionBlock
from torch import nn

from pipeline.networks.blocks import SpatialMean, at_least_single, norm_spec, part
from pipeline.networks.kernels import scale_shift
from pipeline.networks.region_alignment import PhaseContrast, RegionAlignment
from pipeline.networks.switches import Switches

HIDDEN = 256
GAMMA_LIMIT = 0.5
START = 1e-3

START_STRENGTH = 0.1
LARGEST_HEAD_COUNT = 8
TOKENS_START = 0.02


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

    Two deviations from the published form, `bounded`, both for stability at learning rates that suit a U-Net. gamma is
    bounded to +-0.5, so that no channel vanishes or changes its sign. And the MLP's output is divided by the square
    root of its width: where its input hardly changes from batch to batch, under Adam all its weights step together and
    the sum over `HIDDEN` of them would run away. With several phrases it does change, and one phase may have to take
    away the channels that another one needs.
    """

    def __init__(self, channels: int, text_dim: int, renormalise: bool, bounded: bool = True) -> None:
        super().__init__()
        self.bounded = bounded
        self.mean = SpatialMean() if renormalise else None
        last = nn.Linear(HIDDEN, 2 * channels)
        # not zero, which would leave the first layer without a gradient
        nn.init.normal_(last.weight, std=START)
        nn.init.zeros_(last.bias)
        self.to_gamma_beta = nn.Sequential(nn.Linear(text_dim, HIDDEN), nn.ReLU(inplace=True), last)

    def forward(self, features: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Modulate the features (N, C, H, W) by the text (N, D)."""
        scale, shift = self.scale_and_shift(text, None if self.mean is None else self.mean(features.detach()))
        return scale_shift(features, scale[..., None, None], shift[..., None, None])

    def scale_and_shift(self, text: torch.Tensor, mean: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """What features are multiplied by, and what is added then, (N, C) each.

        Args:
            text: (N, D).
            mean: of the features (N, C), for the re-normalisation; None without it.
        """
        coefficients = at_least_single(self.to_gamma_beta(text))
        if self.bounded:
            coefficients = coefficients * HIDDEN**-0.5
        gamma, beta = coefficients.chunk(2, dim=1)
        scale, shift = 1 + (GAMMA_LIMIT * torch.tanh(gamma / GAMMA_LIMIT) if self.bounded else gamma), beta
        if mean is None:
            return scale, shift
        keep = 1 / scale.detach()
        moved = mean * scale.detach() + beta.detach()
        return scale * keep, shift * keep + moved * (1 - keep)


class TextAdapter(nn.Module):
    """`x + a * (h(x) * (1 + gamma(t)) + beta(t))`, h = 1x1 conv, norm, GELU, 1x1 conv; a starts at 0.1.

    The published norm is `group`.
    """

    def __init__(self, channels: int, text_dim: int, norm: str) -> None:
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
        """Refine the features x (N, C, H, W) by the text (N, D)."""
        gamma, beta = at_least_single(self.to_gamma_beta(text))[..., None, None].chunk(2, dim=1)
        scale, shift = self.strength * (1 + gamma), self.strength * beta
        refinement = scale_shift(self.h(x), scale, shift)
        # autocast may give them different types
        return refinement.add_(x) if refinement.dtype == x.dtype else x + refinement


class TokenCrossAttention(nn.Module):
    """`x + g * Attention(queries = LayerNorm(x), keys = values = LayerNorm(T))`, `g = sigmoid(W mean(T))`.

    `W` maps the text width to C, so that any text width serves. The published linear map of the tokens ahead of the
    attention is one with the attention's own key and value maps. Every query reads all text tokens and no other
    pixel: the attention itself does not depend on the tile. The residual is added to x; the published code adds it
    to LayerNorm(x), which changes the features of the U-Net even where the text says nothing. There are 8 heads, or as
    many as divide both 8 and C.
    """

    def __init__(self, channels: int, text_dim: int) -> None:
        super().__init__()
        self.visual_norm = nn.LayerNorm(channels)
        self.text_norm = nn.LayerNorm(text_dim)
        self.attention = CrossAttentionBlock(
            hidden_size=channels,
            num_heads=math.gcd(LARGEST_HEAD_COUNT, channels),
            context_input_size=text_dim,
            use_flash_attention=True,
        )
        self.to_gate = nn.Linear(text_dim, channels)
        nn.init.normal_(self.attention.out_proj.weight, std=TOKENS_START)
        nn.init.zeros_(self.attention.out_proj.bias)

    def forward(self, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Let the features x (N, C, H, W) read the tokens (N, L, D)."""
        gate = self.to_gate(tokens.mean(dim=1)).sigmoid().unsqueeze(1)
        queries = self.visual_norm(x.flatten(2).transpose(1, 2))
        read = gate * self.attention(queries, self.text_norm(tokens))
        return x + read.transpose(1, 2).reshape(x.shape)


class TextHead(nn.Module):
    """`logits + (W t) . x + b t`: part of the last convolution's weights and bias is made from the text.

    After the CLIP-driven universal model (Liu et al., ICCV 2023), whose whole head is. The rest is learned as ever, so
    that it starts near the network without the text's part.
    """

    def __init__(self, channels: int, text_dim: int) -> None:
        super().__init__()
        self.to_weight_bias = nn.Linear(text_dim, channels + 1)
        nn.init.normal_(self.to_weight_bias.weight, std=START)
        nn.init.zeros_(self.to_weight_bias.bias)

    def forward(self, logits: torch.Tensor, features: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Add to the logits (N, 1, H, W) of features (N, C, H, W) what the text (N, D) asks for."""
        weight, bias = self.to_weight_bias(text).to(features.dtype)[..., None, None].tensor_split([-1], dim=1)
        return logits + (features * weight).sum(1, keepdim=True) + bias


class LSCM(nn.Module):
    """Language-driven semantic calibration module.

    Holds the parts that are switched on; a part that is left out passes features on unchanged. Levels count from
    0 (full resolution) to 3 (the deepest skip and the first decoder stage).
    """

    def __init__(self, features: Sequence[int], text_dim: int, norm: str, switches: Switches) -> None:
        super().__init__()

        def modulation(on: bool, channels: int) -> nn.Module:
            make = partial(SemanticModulation, channels, text_dim, switches.renormalise, switches.bounded_modulation)
            return part(on, make)

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
        self.head = part(switches.text_head, partial(TextHead, levels[0], text_dim))
        kind = PhaseContrast if switches.contrast else RegionAlignment
        self.alignment = part(switches.alignment, partial(kind, bottleneck, text_dim))

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

    def calibrate_logits(self, logits: torch.Tensor, x: torch.Tensor, text: torch.Tensor | None) -> torch.Tensor:
        """The text's (N, D) part of the last convolution, from x (N, C, H, W), added to the logits (N, 1, H, W)."""
        return self.head(logits, x, text)
