"""Common steps of networks in as few passes over memory as the layout allows."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Norm
from torch import nn
from torch.nn import functional as F

from pipeline.networks.lean_gradients import gated, modulated

#: by which MONAI's blocks find it
NAME = "INSTANCE_AS_GROUPS"


def is_recording() -> bool:
    """Whether this pass is recorded as a graph, by a compiler, an exporter or a tracer.

    A graph has to hold for other sizes and batches too, and whoever runs it fuses its operations; a pass that just
    computes may look at its tensors and take the kernels that are fastest for them.
    """
    return bool(torch.compiler.is_compiling() or torch.jit.is_tracing())


class InstanceNorm(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d` without running statistics: the same weights, the same function.

    PyTorch computes instance norm as the batch norm of one sample with N x C channels, for which it repeats all weights
    N times: four small copies for each norm. Group norm with one group for each channel is the same in one step, and
    its kernel is several times as fast on a CPU: the networks' forward passes take a seventh less time. On a GPU it
    would run in float32 where autocast asks for less, and exported graphs have one operation for instance norm.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Normalise each channel of each sample of the features (N, C, H, W) over H and W."""
        if features.device.type != "cpu" or is_recording():
            return super().forward(features)
        # its kernel for channels-last takes the variance as a difference of large numbers
        return F.group_norm(features.contiguous(), self.num_features, self.weight, self.bias, self.eps)


Norm.add_factory_callable(NAME, lambda dim: InstanceNorm)


class OneMapConvolution(nn.Conv2d):
    """`nn.Conv2d(channels, 1, kernel_size=1)`: the same weights, the same function.

    A CPU's convolution kernels compute maps by the sixteen, also where one is asked for. A product of matrices reads
    the features once, and is done; in training only where their maps lie one after the other.
    """

    def __init__(self, channels: int, bias: bool = True) -> None:
        super().__init__(channels, 1, kernel_size=1, bias=bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The map (N, 1, H, W) of the features (N, C, H, W)."""
        if features.is_contiguous():
            # not `matmul`, which in training turns all features round and keeps the copy
            weights = self.weight.flatten(1).expand(features.shape[0], -1, -1)
            summed = torch.bmm(weights, features.flatten(2)).unflatten(2, features.shape[2:])
        elif runs_now(features) and features.is_contiguous(memory_format=torch.channels_last):
            summed = (features.movedim(1, -1).flatten(0, 2) @ self.weight.flatten(1).T).view_as(features[:, :1])
        else:
            return super().forward(features)
        return summed if self.bias is None else summed + self.bias.to(summed.dtype)


def scale_shift(features: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """`features * scale + shift`, per channel.

    Args:
        features: (N, C, H, W).
        scale: (N, C, 1, 1).
        shift: (N, C, 1, 1).

    Returns:
        (N, C, H, W), of the features' type.
    """
    if runs_now(features) and len(features) == 1:
        # the kernel of batch norm, which knows every layout (3 ms for 28 on 16 x 1280 x 1280 bfloat16, channels last);
        # it has one set of numbers for all of the batch. Some releases of PyTorch refuse eps = 0: a variance of 0 and
        # eps = 1 divide by exactly 1 too
        kind = torch.promote_types(features.dtype, torch.float32)
        weight, bias = scale.flatten().to(kind), shift.flatten().to(kind)
        return F.batch_norm(features, torch.zeros_like(bias), torch.zeros_like(bias), weight, bias, eps=1.0)
    if trains_here(features):
        return modulated(features, scale, shift)
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
    if trains_here(features):
        return gated(features, scale, factors)
    if not runs_now(features):
        return features * scale.to(features.dtype) * factors
    if features.dtype != torch.float32 and not features.is_contiguous():
        # all factors as a product of matrices, pixels by channels, which lie in memory as the features do
        pixels = factors.flatten(1).unsqueeze(2), scale.to(features.dtype).flatten(1).unsqueeze(1)
        return features * torch.bmm(*pixels).unflatten(1, features.shape[2:]).permute(0, 3, 1, 2)
    return scale_shift(features, scale, torch.zeros_like(scale)).mul_(factors)


def runs_now(features: torch.Tensor) -> bool:
    """Whether this is inference on a CPU, and not the recording of a graph that is to hold for any batch."""
    return features.device.type == "cpu" and not torch.is_grad_enabled() and not is_recording()


def trains_here(features: torch.Tensor) -> bool:
    """Whether this is training on a CPU in single precision, on features (N, C, H, W) that lie map by map."""
    return (
        features.device.type == "cpu"
        and features.dtype == torch.float32
        and torch.is_grad_enabled()
        and not is_recording()
        and features.is_contiguous()
    )
