"""Token cross-attention: visual tokens of the bottleneck read the text tokens."""

from __future__ import annotations

import math

import torch
from monai.networks.blocks import CrossAttentionBlock
from torch import nn

LARGEST_HEAD_COUNT = 8
START = 0.02


class TokenCrossAttention(nn.Module):
    """`x + g * Attention(queries = LayerNorm(x), keys = values = LayerNorm(T))`, `g = sigmoid(W mean(T))`.

    `W` maps the text width to C, so that any text width serves. The published linear map of the tokens ahead of the
    attention is one with the attention's own key and value maps. Every query reads all text tokens and no other
    pixel: the attention itself does not depend on the tile. The residual is added to x; the published code adds it
    to LayerNorm(x), which changes the features of the U-Net even where the text says nothing.
    """

    def __init__(self, channels: int, text_dim: int) -> None:
        """
        Args:
            channels: C of the feature map; 8 heads where 8 divides it, else the largest divisor of both.
            text_dim: D of the token features.
        """
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
        nn.init.normal_(self.attention.out_proj.weight, std=START)
        nn.init.zeros_(self.attention.out_proj.bias)

    def forward(self, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """
        Args:
            x: (N, C, H, W).
            tokens: (N, L, D).

        Returns:
            Features (N, C, H, W) that have read the text.
        """
        gate = self.to_gate(tokens.mean(dim=1)).sigmoid().unsqueeze(1)
        queries = self.visual_norm(x.flatten(2).transpose(1, 2))
        read = gate * self.attention(queries, self.text_norm(tokens))
        return x + read.transpose(1, 2).reshape(x.shape)
