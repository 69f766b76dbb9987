"""Steps of a training on a CPU whose gradients take fewer passes over memory than what PyTorch records of them.

A gradient that is a sum over all pixels or channels is summed part by part, while the products lie in the cache, and
what reaches features along several ways is added up in one pass. For what `kernels.trains_here` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.autograd.function import once_differentiable

#: elements of a map that are worked on together: with their products, about what a core's cache holds
_PART = 1 << 16


def modulated(features: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """`features * scale + shift`: (N, C, H, W), and (N, C, 1, 1) twice."""
    result: torch.Tensor = _Modulated.apply(features, scale, shift)
    return result


def gated(features: torch.Tensor, scale: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """`features * scale * factors`: (N, C, H, W), (N, C, 1, 1) and (N, 1, H, W)."""
    result: torch.Tensor = _Gated.apply(features, scale, factors)
    return result


def read(features: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features (N, C, H, W) as they are, for what follows; their means (N, C); and their sum weighted by (C,), a map
    (N, 1, H, W)."""
    result: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = _Read.apply(features, weights)
    return result


def _parts(features: torch.Tensor) -> Iterator[tuple[int, slice]]:
    """A sample and some of its channels."""
    batch, channels, height, width = features.shape
    together = max(1, _PART // (height * width))
    for sample in range(batch):
        for first in range(0, channels, together):
            yield sample, slice(first, first + together)


class _Modulated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(features, scale)
        return torch.addcmul(shift, features, scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features, scale = ctx.saved_tensors
        to_features = torch.empty_like(features)
        to_scale, to_shift = scale.new_empty(scale.shape), scale.new_empty(scale.shape)
        for part in _parts(features):
            own = gradient[part]
            product = torch.mul(own, features[part], out=to_features[part])  # there for the sum only
            torch.sum(product, (1, 2), keepdim=True, out=to_scale[part])
            torch.sum(own, (1, 2), keepdim=True, out=to_shift[part])
            torch.mul(own, scale[part], out=to_features[part])
        return to_features, to_scale, to_shift


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: torch.Tensor, scale: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(features, scale, factors)
        out = torch.empty_like(features)
        for sample, channels in _parts(features):
            own = out[sample, channels]
            torch.mul(features[sample, channels], scale[sample, channels], out=own).mul_(factors[sample])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features, scale, factors = ctx.saved_tensors
        to_features, to_scale = torch.empty_like(features), scale.new_empty(scale.shape)
        to_factors = factors.new_zeros(factors.shape)
        for sample, channels in _parts(features):
            own, place = gradient[sample, channels], (sample, channels)
            product = torch.mul(own, features[place], out=to_features[place]).flatten(1)
            to_factors[sample].view(-1).addmv_(product.T, scale[place].flatten())
            torch.mv(product, factors[sample].flatten(), out=to_scale[place].view(-1))
            torch.mul(own, scale[place], out=to_features[place]).mul_(factors[sample])
        return to_features, to_scale, to_factors


class _Read(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: torch.Tensor, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ctx.save_for_backward(features, weights)
        summed = torch.bmm(weights.expand(len(features), 1, -1), features.flatten(2))
        return features.view_as(features), features.mean((2, 3)), summed.unflatten(2, features.shape[2:])

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, to_same: torch.Tensor, to_mean: torch.Tensor, to_map: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        features, weights = ctx.saved_tensors
        to_features, to_weights = torch.empty_like(features), torch.zeros_like(weights)
        share = (to_mean / features[0, 0].numel())[..., None, None]
        for sample, channels in _parts(features):
            place, of_map = (sample, channels), to_map[sample]
            to_weights[channels].addmv_(features[place].flatten(1), of_map.flatten())
            torch.addcmul(to_same[place], of_map, weights[channels, None, None], out=to_features[place])
            to_features[place].add_(share[place])
        return to_features, to_weights
