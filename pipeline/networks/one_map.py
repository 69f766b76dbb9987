"""A 1x1 convolution to a single map, as a product of matrices."""

from __future__ import annotations

import torch
from torch import nn


class OneMapConvolution(nn.Conv2d):
    """`nn.Conv2d(channels, 1, kernel_size=1)`: the same weights, the same function.

    A CPU's convolution kernels compute maps by the sixteen, also where one is asked for. The product reads the features
    once, and is done. Where channels are last, a convolution does just that, and a product would lay them out again.
    """

    def __init__(self, channels: int, bias: bool = True) -> None:
        """
        Args:
            channels: C of the features.
            bias: add one number to the map.
        """
        super().__init__(channels, 1, kernel_size=1, bias=bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """
        Args:
            features: (N, C, H, W).

        Returns:
            The map (N, 1, H, W).
        """
        if not features.is_contiguous():
            return super().forward(features)
        # not `matmul`, which in training turns all features round and keeps the copy
        weights = self.weight.flatten(1).expand(features.shape[0], -1, -1)
        summed = torch.bmm(weights, features.flatten(2)).unflatten(2, features.shape[2:])
        return summed if self.bias is None else summed + self.bias.to(summed.dtype)
