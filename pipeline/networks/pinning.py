"""What a network reads from the whole tile, and how it is fixed to the statistics of a whole scan."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

from pipeline.networks.blocks import SpatialMean, at_least_single


class PinnedMean(SpatialMean):
    """`SpatialMean` with the mean of a scan: the same for every tile of it.

    Args:
        mean: (C,).
    """

    mean: torch.Tensor

    def __init__(self, mean: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The scan's mean (N, C), whatever the features (N, C, H, W)."""
        return self.mean.to(features.dtype).expand(features.shape[0], -1)


class PinnedNorm(nn.BatchNorm2d):
    """A norm with the statistics of a scan, in evaluation mode."""


def reads_tile(network: nn.Module) -> bool:
    """Whether some part of the network takes statistics over the tile, so that tiles of a scan may disagree."""
    return any(_can_be_pinned(module) and not isinstance(module, nn.BatchNorm2d) for module in network.modules())


def pin_statistics(
    network: nn.Module,
    image: torch.Tensor,
    text: torch.Tensor | None = None,
    tokens: torch.Tensor | None = None,
) -> nn.Module:
    """Fix all statistics that a network normalises by to those of a batch of tiles.

    The norms' statistics, the skip gates' averages and the mean of the re-normalisation are taken over the batch
    together, layer by layer, each from features that the layers before it have already normalised so. Afterwards
    nothing depends on the tile but what lies in the receptive field: the same pixel gets the same answer in every
    tile that holds its surroundings. All norms become `nn.BatchNorm2d` in evaluation mode, which can be fused with
    the convolutions before them (`fuse_norms`).

    For instance norm, a single tile's own answer stays what it was. For batch norm, the statistics of the training
    are replaced by those of the given scan (prediction-time batch normalisation: Nado et al., arXiv 2006.10963).

    Args:
        network: any network of this package; it is left as it is.
        image: tiles that stand for the scan (N, C, H, W), all in one batch.
        text: global text feature (N, D), as for the network's forward pass.
        tokens: text token features (N, L, D).

    Returns:
        A copy of the network, in evaluation mode, that shares its weights.

    Raises:
        ValueError: the network is pinned already; pin the one that it was made of.
    """
    return pinned_with_answer(network, image, text, tokens)[0]


def pinned_with_answer(
    network: nn.Module,
    image: torch.Tensor,
    text: torch.Tensor | None = None,
    tokens: torch.Tensor | None = None,
) -> tuple[nn.Module, torch.Tensor]:
    """What `pin_statistics` returns, and the logits (N, 1, H, W) that it gives to the tiles themselves.

    They come with the pass that takes the statistics. Arguments and errors as for `pin_statistics`.
    """
    if any(isinstance(module, (PinnedMean, PinnedNorm)) for module in network.modules()):
        raise ValueError("the network's statistics are pinned already: pin the network that it was made of")
    shared = {id(parameter): parameter for parameter in network.parameters()}
    pinned = copy.deepcopy(network, shared).eval()
    waiting = {name: _Pinning(module) for name, module in pinned.named_modules() if _can_be_pinned(module)}
    _replace(pinned, waiting)
    with torch.no_grad():
        logits: torch.Tensor = pinned(image, text, tokens)
    # a part that the pass did not reach stays as it was
    _replace(pinned, {name: module.pinned or module.module for name, module in waiting.items()})
    return pinned, logits


class _Pinning(nn.Module):
    """Stands in for a module during one pass, and has its pinned form afterwards."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.pinned: nn.Module | None = None

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        self.pinned = _pinned_form(self.module, features)
        result: torch.Tensor = self.pinned(features)
        return result


def _replace(network: nn.Module, modules: Mapping[str, nn.Module]) -> None:
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, module)


def _can_be_pinned(module: nn.Module) -> bool:
    kinds = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm, SpatialMean)
    return isinstance(module, kinds) and not isinstance(module, PinnedMean)


def _pinned_form(module: nn.Module, features: torch.Tensor) -> nn.Module:
    wide = at_least_single(features)
    if isinstance(module, SpatialMean):
        return PinnedMean(wide.mean((0, 2, 3)))
    assert isinstance(module, (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm))  # for mypy
    groups = module.num_groups if isinstance(module, nn.GroupNorm) else features.shape[1]
    variance, mean = _variance_and_mean(wide, groups)
    channels = features.shape[1]
    norm = PinnedNorm(channels, eps=module.eps, device=features.device).eval()
    if module.affine:
        norm.weight, norm.bias = module.weight, module.bias
    # all of one type, as batch norm wants it: that of the weights, which autocast leaves alone
    norm.to(norm.weight.dtype if module.affine else wide.dtype)
    norm.running_mean = mean.to(norm.weight.dtype)
    norm.running_var = variance.to(norm.weight.dtype)
    return norm


def _variance_and_mean(features: torch.Tensor, groups: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each group of channels of a batch (N, C, H, W): (C,) each, the same for all channels of a group.

    Biased, as the norms take it in every pass. In two passes of sums: several times as fast as `torch.var_mean`, as
    exact, and with the same bits for any number of threads, which batch norm's own sums do not have.
    """

    def of_groups(channels: torch.Tensor) -> torch.Tensor:
        together = channels.unflatten(0, (groups, -1))
        return together.mean(1, keepdim=True).expand_as(together).flatten()

    mean = of_groups(features.mean((2, 3)).mean(0))
    deviation = features - mean[:, None, None]
    return of_groups(deviation.square_().mean((2, 3)).mean(0)), mean
