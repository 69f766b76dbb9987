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
_PART = 1 << 18


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


def _parts(*tensors: torch.Tensor) -> Iterator[tuple[torch.Tensor, ...]]:
    """Of each sample some channels: of the first tensor (N, C, H, W) and of others (N, C, ...), without N."""
    _, _, height, width = tensors[0].shape
    together = max(1, _PART // (height * width))
    for sample in zip(*tensors, strict=True):
        yield from zip(*(one.split(together) for one in sample), strict=True)


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
        to_scale, to_shift = scale.new_empty(scale.shape), gradient.sum((2, 3), keepdim=True)
        for x, own, factor, out, total in _parts(features, gradient, scale, to_features, to_scale):
            torch.mul(own, x, out=out)  # there for the sum only
            torch.sum(out, (1, 2), keepdim=True, out=total)
            torch.mul(own, factor, out=out)
        return to_features, to_scale, to_shift


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: torch.Tensor, scale: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(features, scale, factors)
        out = torch.empty_like(features)
        for sample, of_pixels in enumerate(factors):
            for x, factor, result in _parts(*(one[sample, None] for one in (features, scale, out))):
                torch.mul(x, factor, out=result).mul_(of_pixels)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        features, scale, factors = ctx.saved_tensors
        to_features, to_scale = torch.empty_like(features), scale.new_empty(scale.shape)
        to_factors = factors.new_zeros(factors.shape)
        tensors = features, gradient, scale, to_features, to_scale
        for sample, (of_pixels, to_pixels) in enumerate(zip(factors, to_factors, strict=True)):
            for x, own, factor, out, total in _parts(*(one[sample, None] for one in tensors)):
                product = torch.mul(own, x, out=out).flatten(1)
                to_pixels.view(-1).addmv_(product.T, factor.flatten())
                torch.mv(product, of_pixels.flatten(), out=total.view(-1))
                torch.mul(own, factor, out=out).mul_(of_pixels)
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
        to_features, to_weights = torch.empty_like(features), weights.new_zeros(weights.shape)
        share = (to_mean / features[0, 0].numel())[..., None, None]
        each = weights[None, :, None, None]
        tensors = features, to_same, share, to_features
        for sample, of_map in enumerate(to_map):
            for x, same, of_mean, out, weight, total in _parts(
                *(one[sample, None] for one in tensors), each, to_weights[None]
            ):
                total.addmv_(x.flatten(1), of_map.flatten())
                torch.addcmul(same, of_map, weight, out=out)
                out.add_(of_mean)
        return to_features, to_weights
