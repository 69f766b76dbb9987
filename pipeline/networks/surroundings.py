"""The micrograph around a window, at an eighth of the resolution: what a network sees beyond its window.

A patch of 192 pixels shows what a pore looks like, and not where in the micrograph it lies. What is told by the
surroundings (a layer, the rim of a sample, the grain that organic matter fills) needs a wider view. HookNet (van
Rijthoven et al., arXiv 2006.12230) has a second U-Net for it; here it is a small branch without poolings and norms.

So a value of it depends on the pixels within its reach and on nothing else: not on the window, and on no statistics
that would have to be pinned. The view is as much larger than the window as the branch reaches, and nothing is padded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from monai.networks.blocks import Convolution
from torch import nn
from torch.nn import functional as F

from pipeline.networks.blocks import ACTIVATION
from pipeline.networks.inputs import crop_to, padded_side
from pipeline.networks.kernels import is_recording
from pipeline.wording import check_name

#: pixels of the image along a side of a pixel of the view
FACTOR = 8
#: of the view: the mean grey level, in standard deviations above that of the rock, with shading left in, 0 outside of
#: the image; and the share of the pixel that lies inside
CHANNELS = 2
#: how far it reaches beyond the window (px), and the dilations of the branch's convolutions, on the bottleneck's grid
DILATIONS = {240: (1, 2, 4, 8), 496: (1, 2, 4, 8, 16), 1008: (1, 2, 4, 8, 16, 32)}
REACHES = tuple(DILATIONS)
#: for none and each reach, as users choose it
CHOICES: dict[str, int | None] = {"none": None, **{f"{reach}px": reach for reach in REACHES}}

_WIDTH = 32
_EMBEDDED = 16
#: what is added to the fine features starts near zero: the network starts near the one without surroundings
_START = 0.01
#: pixels of the view beyond the cells that the dilated convolutions reach, for the first 3 x 3 convolution
_BORDER = 1


def reach_of(surroundings: str) -> int | None:
    """The reach (px) that a user chose, one of `CHOICES`; None: no surroundings.

    Raises:
        UserError: another choice.
    """
    return CHOICES[check_name("surroundings", surroundings, tuple(CHOICES))]


def surroundings_of(reach: int | None) -> str:
    """What a user chooses for a reach (px): the inverse of `reach_of`."""
    return next(choice for choice, known in CHOICES.items() if known == reach)


def reach_of_network(network: nn.Module) -> int | None:
    """How far a network as trained sees beyond its window (px); None: not at all."""
    reach: int | None = getattr(network, "reach", None)
    return reach


def no_view(image: torch.Tensor, reach: int | None) -> torch.Tensor | None:
    """The view (N, 2, h, w) of images (N, C, H, W) around which nothing is; None where there are no surroundings."""
    if reach is None:
        return None
    return image.new_zeros(len(image), CHANNELS, *(view_side(side, reach) for side in image.shape[2:]))


def view_of_whole(image: torch.Tensor, reach: int) -> torch.Tensor:
    """The view (N, 2, h, w) of whole micrographs (N, C, H, W), outside of which nothing is.

    Of two channels the last is shown, which has its shading. Without a condition on sizes, as `padded_side`.
    """
    grey = image[:, -1:]
    bottom, right = (padded_side(side) - side for side in image.shape[2:])
    shown = F.pad(torch.cat([grey, torch.ones_like(grey)], dim=1), (0, right, 0, bottom))
    return F.pad(F.avg_pool2d(shown, FACTOR), (view_margin(reach),) * 4)


def view_margin(reach: int) -> int:
    """Pixels of the view beyond the window, on each side."""
    return reach // FACTOR + _BORDER


def view_side(side: int, reach: int) -> int:
    """Pixels of the view along an axis of a window of so many pixels, which is padded to whole cells of 16 pixels."""
    return padded_side(side) // FACTOR + 2 * view_margin(reach)


class Around(NamedTuple):
    """What the surroundings add.

    Attributes:
        bottleneck: to the bottleneck, (N, C, H / 16, W / 16).
        last: to the last features of the decoder, (N, D, H / 16, W / 16), enlarged there.
    """

    bottleneck: torch.Tensor
    last: torch.Tensor


class Surroundings(nn.Module):
    """The branch that reads the view, and where it joins a U-Net: at the bottleneck, and before the last convolution.

    The bottleneck alone is not enough. A norm over each patch follows it in every decoder stage, and takes away what
    is the same in the whole patch: that it lies inside of a layer, say (SPADE: Park et al., CVPR 2019). No norm follows
    the last features.

    Args:
        reach: how far it sees beyond the window (px), one of `REACHES`.
        bottleneck: channels of the bottleneck.
        last: channels of the decoder's last features.
    """

    def __init__(self, reach: int, bottleneck: int, last: int) -> None:
        super().__init__()
        self.reach = reach

        def convolution(inputs: int, outputs: int, **size: Any) -> nn.Module:
            return Convolution(2, inputs, outputs, padding=0, act=ACTIVATION, norm=None, **size)

        self.branch = nn.Sequential(
            convolution(CHANNELS, _EMBEDDED, kernel_size=3),
            convolution(_EMBEDDED, _WIDTH, strides=2, kernel_size=2),
            *(convolution(_WIDTH, _WIDTH, kernel_size=3, dilation=dilation) for dilation in DILATIONS[reach]),
        )
        self.to_bottleneck, self.to_last = (
            Convolution(2, _WIDTH, channels, kernel_size=1, conv_only=True) for channels in (bottleneck, last)
        )
        self.apply(_as_without_norm)
        for joint in (self.to_bottleneck, self.to_last):
            nn.init.normal_(next(joint.parameters()), std=_START)

    def forward(self, view: torch.Tensor | None, image: torch.Tensor, bottleneck: torch.Tensor) -> Around:
        """
        Args:
            view: around the image (N, 2, `view_side(H)`, `view_side(W)`), see `CHANNELS`.
            image: (N, C, H, W), the window.
            bottleneck: of the window, whose size is that of the features.

        Raises:
            ValueError: no view, or one that does not fit the window.
        """
        features = self.branch(_channels_last(check_view(view, image, self.reach)))
        features = crop_to(features, bottleneck)  # they have its size, which a recorded graph would not know
        return Around(self.to_bottleneck(features), self.to_last(features))


def _channels_last(view: torch.Tensor) -> torch.Tensor:
    """In the memory layout in which a CPU takes two thirds of the time for the branch, whatever that of the network."""
    return view if is_recording() else view.contiguous(memory_format=torch.channels_last)


def _as_without_norm(module: nn.Module) -> None:
    """Weights that keep the spread of features from layer to layer, where no norm does: with PyTorch's own, which
    halve it each time, the branch learns half as fast."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, ACTIVATION[1]["negative_slope"])
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def check_view(view: torch.Tensor | None, image: torch.Tensor, reach: int) -> torch.Tensor:
    """Check the view against its window (N, C, H, W).

    Raises:
        ValueError: it is missing, or of another shape than the window's size asks for.
    """
    if view is not None and is_recording():  # a graph would hold the sizes that it was recorded with
        return view
    expected = (image.shape[0], CHANNELS, *(view_side(side, reach) for side in image.shape[2:]))
    if view is None:
        raise ValueError(f"the network sees its window's surroundings: give `view` {expected}")
    if tuple(view.shape) != expected:
        raise ValueError(f"view must be {expected} as the image is {tuple(image.shape)}, not {tuple(view.shape)}")
    return view


def with_surroundings(
    head: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, last: torch.Tensor | None
) -> torch.Tensor:
    """Logits (N, K, H, W) of the last features (N, D, H, W) and what the surroundings add to them.

    The head is linear, and so is enlarging: a few maps of logits are enlarged in place of all features, which at full
    resolution would cost as much as a convolution.

    Args:
        head: from features to logits, linear but for a bias.
        x: the last features.
        last: what is added to them, (N, D, H / 16, W / 16); None: nothing.
    """
    logits = head(x)
    if last is None:
        return logits
    added = head(last) - head(torch.zeros_like(last))
    # sixteen times as large: in a recorded graph, the size of the logits says so
    return logits + F.interpolate(added, logits.shape[2:], mode="bilinear", align_corners=False).to(logits.dtype)
