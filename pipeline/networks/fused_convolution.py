"""Convolutions that end with what follows them, in one pass over memory, for inference on a CPU."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from monai.networks.blocks import Convolution
from torch import nn
from torch.nn import functional as F

from pipeline.networks.kernels import runs_now

#: what PyTorch's compiler calls on a CPU: oneDNN's convolution, which ends with something else
_KERNEL = "_convolution_pointwise"
#: activations as oneDNN knows them: with a slope below zero, or by the exact formula
_ALGORITHMS = {"leaky_relu": "", "gelu": "none", "tanh": ""}


class _FusedConvolution(nn.Module):
    """A convolution whose weights are kept in the type in which they are used, as they don't change any more."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        self._kept: tuple[torch.Tensor, torch.Tensor | None] | None = None

    def _run(self, kernel: Any, kind: torch.dtype, features: tuple[torch.Tensor, ...], *ending: Any) -> torch.Tensor:
        own = self.convolution
        if self._kept is None or self._kept[0].dtype != kind:
            self._kept = own.weight.detach().to(kind), None if own.bias is None else own.bias.detach().to(kind)
        padding = cast("tuple[int, ...]", own.padding)
        result: torch.Tensor = kernel(*features, *self._kept, padding, own.stride, own.dilation, own.groups, *ending)
        return result


class ActivatedConvolution(_FusedConvolution):
    """A convolution followed by its activation: the same function.

    At full resolution a CPU takes as long to read and write the features for the activation as it takes to convolve
    them (16 channels of 512 x 512 pixels in bfloat16: 3.3 ms, and 3.8 ms for the activation; 3.7 ms together).

    Where features are not in channels-last order, where a graph is recorded, and where PyTorch lacks the kernel, both
    run one after the other.

    Args:
        convolution: its layers are used.
        activation: `leaky_relu`, `gelu` or `tanh`.
        slope: of the leaky ReLU below zero.
    """

    def __init__(self, convolution: nn.Conv2d, activation: str = "leaky_relu", slope: float = 0.1) -> None:
        super().__init__(convolution)
        self.activation = activation
        self._numbers = [slope] if activation == "leaky_relu" else []

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """From features (N, C, H, W) to (N, D, H', W'), as the convolution has it."""
        kind = _kind(features)
        if not _has_kernel(features, kind):
            activate = torch.tanh if self.activation == "tanh" else getattr(F, self.activation)
            activated: torch.Tensor = activate(self.convolution(features), *self._numbers)
            return activated
        kernel = getattr(torch.ops.mkldnn, _KERNEL)
        ending = self.activation, self._numbers, _ALGORITHMS[self.activation]
        return self._run(kernel, kind, (features.to(kind),), *ending)


class JoinedConvolution(_FusedConvolution):
    """A convolution, plus or times other features: the same function.

    Args:
        convolution: its layers are used.
        operation: `add` or `mul`.
    """

    def __init__(self, convolution: nn.Conv2d, operation: str = "add") -> None:
        super().__init__(convolution)
        self.operation = operation

    def forward(self, features: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """From features (N, C, H, W) and others (N, D, H, W) to (N, D, H, W)."""
        kind = _kind(features)
        fits = other.dtype == kind and other.is_contiguous(memory_format=torch.channels_last)
        fits = fits and other.shape[1] == self.convolution.out_channels  # a broadcast takes it seconds
        if not (fits and _has_kernel(features, kind)):
            convolved: torch.Tensor = self.convolution(features)
            other = other.to(convolved.dtype)
            return convolved.add(other) if self.operation == "add" else convolved.mul(other)
        kernel = getattr(torch.ops.mkldnn, _KERNEL).binary
        return self._run(kernel, kind, (features.to(kind), other), self.operation, 1.0, None, [], None)


def convolution_of(weight: torch.Tensor, bias: torch.Tensor | None, padding: int = 0) -> nn.Conv2d:
    """A convolution with weights (D, C, kernel, kernel) and biases (D,)."""
    outputs, inputs, kernel, _ = weight.shape
    made = nn.utils.skip_init(
        nn.Conv2d, inputs, outputs, kernel, padding=padding, bias=bias is not None, device=weight.device
    ).to(weight.dtype)
    made.weight = nn.Parameter(weight.detach(), requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().to(weight.dtype), requires_grad=False)
    return made


def convolution_in(block: nn.Module) -> nn.Conv2d:
    """The convolution in a MONAI `Convolution`."""
    return cast(nn.Conv2d, block.get_submodule("conv"))


def bias_of(convolution: nn.Conv2d) -> torch.Tensor:
    """Biases (D,), zeros where it has none."""
    return convolution.weight.new_zeros(convolution.out_channels) if convolution.bias is None else convolution.bias


#: nothing, in evaluation mode
_DROPOUTS = (nn.Dropout, nn.Dropout2d, nn.Identity)


def activated(block: nn.Module) -> ActivatedConvolution | None:
    """A MONAI `Convolution` as one step, if nothing but a known activation follows it; None: it has more, or none."""
    if not isinstance(block, Convolution):
        return None
    layers = dict(block.named_children())
    after = [one for one in layers.get("adn", nn.Sequential()).children() if not isinstance(one, _DROPOUTS)]
    if len(after) != 1:
        return None
    if isinstance(after[0], nn.LeakyReLU):
        return ActivatedConvolution(convolution_in(block), slope=after[0].negative_slope)
    if isinstance(after[0], nn.GELU) and after[0].approximate == "none":
        return ActivatedConvolution(convolution_in(block), "gelu")
    return ActivatedConvolution(convolution_in(block), "tanh") if isinstance(after[0], nn.Tanh) else None


def _kind(features: torch.Tensor) -> torch.dtype:
    """The type in which a convolution runs."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else features.dtype


def _has_kernel(features: torch.Tensor, kind: torch.dtype) -> bool:
    return (
        runs_now(features)
        and features.is_contiguous(memory_format=torch.channels_last)
        and _known_kinds().get(kind, False)
    )


@cache
def _known_kinds() -> dict[torch.dtype, bool]:
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, _KERNEL):
        return {}
    return {torch.float32: True, torch.bfloat16: bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())}
