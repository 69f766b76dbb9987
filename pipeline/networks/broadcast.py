"""Products and sums of feature maps with one number per channel, or per pixel, as fast as the layout allows.

PyTorch's CPU kernels for such broadcasts are slow where channels are last: in bfloat16, ten times slower than memory.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from pipeline.networks.recording import is_recording


def scale_shift(features: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """`features * scale + shift`, per channel.

    Args:
        features: (N, C, H, W).
        scale: (N, C, 1, 1).
        shift: (N, C, 1, 1).

    Returns:
        (N, C, H, W), of the features' type.
    """
    if _runs_now(features) and len(features) == 1:
        # the kernel of batch norm, which knows every layout; it has one set of numbers for all of the batch. Some
        # releases of PyTorch refuse eps = 0: a variance of 0 and eps = 1 divide by exactly 1 too
        kind = torch.promote_types(features.dtype, torch.float32)
        weight, bias = scale.flatten().to(kind), shift.flatten().to(kind)
        return F.batch_norm(features, torch.zeros_like(bias), torch.zeros_like(bias), weight, bias, eps=1.0)
    scale, shift = scale.to(features.dtype), shift.to(features.dtype)
    if features.device.type == "cpu" and features.dtype != torch.float32:
        return features * scale + shift  # four times as fast as addcmul there
    return torch.addcmul(shift, features, scale)


def scale_twice(features: torch.Tensor, scale: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """`features * scale * factors`: per channel, then the same for all channels of a pixel.

    Args:
        features: (N, C, H, W).
        scale: (N, C, 1, 1).
        factors: (N, 1, H, W).

    Returns:
        (N, C, H, W), of the features' type.
    """
    factors = factors.to(features.dtype)
    if not _runs_now(features):
        return features * scale.to(features.dtype) * factors
    if features.dtype != torch.float32 and not features.is_contiguous():
        # all factors as a product of matrices, pixels by channels, which lie in memory as the features do
        pixels = factors.flatten(1).unsqueeze(2), scale.to(features.dtype).flatten(1).unsqueeze(1)
        return features * torch.bmm(*pixels).unflatten(1, features.shape[2:]).permute(0, 3, 1, 2)
    return scale_shift(features, scale, torch.zeros_like(scale)).mul_(factors)


def _runs_now(features: torch.Tensor) -> bool:
    """Whether this is inference on a CPU, and not the recording of a graph that is to hold for any batch."""
    return features.device.type == "cpu" and not torch.is_grad_enabled() and not is_recording()
