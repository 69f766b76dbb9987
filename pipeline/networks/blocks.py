"""Choices that all networks of this package share: normalisation, activation, and parts that are left out."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from pipeline.networks.kernels import NAME as INSTANCE_NORM

ACTIVATION = ("LeakyReLU", {"negative_slope": 0.1, "inplace": True})
"""As in MONAI's BasicUNet."""

NORMS = ("batch", "instance", "group")

LARGEST_GROUP_COUNT = 8


def norm_spec(norm: str, *channels: int) -> tuple[str, dict]:
    """A MONAI norm specification that fits every given width.

    Batch norm keeps its statistics of the training, instance and group norm take theirs from the tile; at inference
    `pin_statistics` gives each of them those of a whole micrograph.

    Args:
        norm: `batch`, `instance` or `group`.
        channels: the widths that the specification is used for. The number of groups divides all of them.

    Raises:
        ValueError: another norm.
    """
    if norm == "batch":
        return "batch", {}
    if norm == "instance":
        return INSTANCE_NORM, {"affine": True}
    if norm == "group":
        return "group", {"num_groups": math.gcd(LARGEST_GROUP_COUNT, *channels)}
    raise ValueError(f"norm must be one of {', '.join(NORMS)}, not {norm!r}")


def memory_format(norm: str) -> torch.memory_format:
    """The faster layout of a network with this norm: convolutions prefer channels-last, instance norm would copy."""
    return torch.contiguous_format if norm == "instance" else torch.channels_last


class SpatialMean(nn.Module):
    """The mean over the tile: (N, C, H, W) -> (N, C).

    A module of its own, so that `pin_statistics` finds it and can put the mean of a whole scan in its place.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Average the features (N, C, H, W) over H and W."""
        return features.mean((2, 3))


class LeftOut(nn.Module):
    """Stands where a part is switched off: features pass unchanged, no parameters."""

    def forward(self, features: torch.Tensor, *conditions: torch.Tensor | None) -> torch.Tensor:
        """Return `features` (N, C, H, W) as they are."""
        return features


def at_least_single(x: torch.Tensor) -> torch.Tensor:
    """Half-precision tensors in float32, others as they are: for coordinates, statistics and small coefficients."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def part(on: bool, build: Callable[[], nn.Module]) -> nn.Module:
    """The built part where its switch is on, else `LeftOut`."""
    return build() if on else LeftOut()


class ControlledResidual(nn.Module):
    """`x + limit * sigmoid(a) * z`, with a learnable `a` per channel.

    The correction can't exceed `limit` times `z`, and starts at `limit * sigmoid(start)` of it, so that the network
    starts near the one without it.
    """

    def __init__(self, channels: int, limit: float, start: float) -> None:
        super().__init__()
        self.limit = limit
        self.strength = nn.Parameter(torch.full((channels, 1, 1), start))

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Add the correction `z` (N, C, H, W) to `x` (N, C, H, W)."""
        return torch.addcmul(x, z, (self.limit * self.strength.sigmoid()).to(z.dtype))
