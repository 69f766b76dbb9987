"""What a network reads from the whole tile, and how it is fixed to the statistics of a whole scan."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar, cast

import torch
from torch import nn

from pipeline.networks.blocks import SpatialMean, at_least_single
from pipeline.networks.inputs import phrase_count
from pipeline.networks.unet import UNet

#: those that normalise by statistics
NORMS = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)

N = TypeVar("N", bound=nn.Module)
T = TypeVar("T")


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
    view: torch.Tensor | None = None,
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
        text: global text feature (N, D), or of K phrases (N, K, D), as for the network's forward pass.
        tokens: text token features (N, L, D), or of K phrases (N, K, L, D).
        view: what lies around the tiles, as for the network's forward pass.

    Returns:
        A copy of the network, in evaluation mode, that shares its weights; for several phrases a `PinnedPhrases`.

    Raises:
        ValueError: the network is pinned already; pin the one that it was made of.
    """
    return pinned_with_answer(network, image, text, tokens, view)[0]


def pinned_with_answer(
    network: nn.Module,
    image: torch.Tensor,
    text: torch.Tensor | None = None,
    tokens: torch.Tensor | None = None,
    view: torch.Tensor | None = None,
) -> tuple[nn.Module, torch.Tensor]:
    """What `pin_statistics` returns, and the logits (N, K, H, W) that it gives to the tiles themselves.

    They come with the pass that takes the statistics. Arguments and errors as for `pin_statistics`.
    """
    if any(isinstance(module, (PinnedMean, PinnedNorm)) for module in network.modules()):
        raise ValueError("the network's statistics are pinned already: pin the network that it was made of")
    if isinstance(network, UNet) and network.BY_PHRASE and (count := phrase_count(text, tokens)) is not None:
        return _pinned_phrases(network, image, text, tokens, view, count)
    copied = _copy(network)
    around = {} if view is None else {"view": view}
    logits = _pin(copied, lambda: copied(image, text, tokens, **around))
    return copied, logits


class PinnedPhrases(nn.Module):
    """A network for several phrases, pinned: its encoder once, and for each phrase a decoder of its own.

    What a decoder normalises depends on its phrase. It is called as the network itself is, with the same K phrases.

    Args:
        encoder: encodes images.
        decoders: of each phrase.
    """

    def __init__(self, encoder: UNet, decoders: Sequence[UNet]) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoders = nn.ModuleList(decoders)

    def forward(
        self,
        image: torch.Tensor,
        text: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        view: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits (N, K, H, W) of images (N, C, H, W) for text (N, K, D) and tokens (N, K, L, D); no mask is read."""
        encoded = cast(UNet, self.encoder).encode(image, view)
        # phrase after phrase, in the memory of one
        return torch.cat(
            [
                cast(UNet, decoder).decode(encoded, *_of_phrase(phrase, text, tokens))
                for phrase, decoder in enumerate(self.decoders)
            ],
            dim=1,
        )


def _pinned_phrases(
    network: UNet,
    image: torch.Tensor,
    text: torch.Tensor | None,
    tokens: torch.Tensor | None,
    view: torch.Tensor | None,
    count: int,
) -> tuple[PinnedPhrases, torch.Tensor]:
    encoder, decoder = _copy(network), _copy(network)
    for name, _ in list(network.named_children()):
        delattr(decoder if name in network.ENCODER else encoder, name)
    encoded = _pin(encoder, lambda: encoder.encode(image, view))
    decoders = [_copy(decoder) for _ in range(count)]
    logits = [
        _pin(own, partial(own.decode, encoded, *_of_phrase(phrase, text, tokens)))
        for phrase, own in enumerate(decoders)
    ]
    return PinnedPhrases(encoder, decoders).eval(), torch.cat(logits, dim=1)


def _of_phrase(phrase: int, *features: torch.Tensor | None) -> list[torch.Tensor | None]:
    """Text (N, D) and tokens (N, L, D) of one phrase, from those of all."""
    return [None if feature is None else feature[:, phrase] for feature in features]


def _copy(network: N) -> N:
    """In evaluation mode, of own modules with the same weights; `copy.deepcopy` takes half as long as a small image."""
    own: dict[nn.Module, nn.Module] = {}

    def copied(module: nn.Module) -> nn.Module:
        if module not in own:
            own[module] = new = copy.copy(module)
            for kind in ("_parameters", "_buffers"):
                new.__dict__[kind] = dict(module.__dict__[kind])
            new.__dict__["_modules"] = {
                name: None if child is None else copied(child) for name, child in module._modules.items()
            }
        return own[module]

    return cast(N, copied(network)).eval()


def _pin(network: nn.Module, run: Callable[[], T]) -> T:
    """Pin all that a pass of the network reaches, and return what it gives; what it does not reach stays as it was."""
    waiting = {name: _Pinning(module) for name, module in network.named_modules() if _can_be_pinned(module)}
    _replace(network, waiting)
    with torch.no_grad():
        answer = run()
    _replace(network, {name: module.pinned or module.module for name, module in waiting.items()})
    return answer


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
    return isinstance(module, (*NORMS, SpatialMean)) and not isinstance(module, PinnedMean)


def _pinned_form(module: nn.Module, features: torch.Tensor) -> nn.Module:
    wide = at_least_single(features)
    if isinstance(module, SpatialMean):
        return PinnedMean(wide.mean((0, 2, 3)))
    assert isinstance(module, NORMS)  # for mypy
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
