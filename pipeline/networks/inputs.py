"""Checks and padding of what a network is given, and what it returns in training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional as F

from pipeline.networks.kernels import is_recording

STRIDE = 16
"""Four poolings by two: the bottleneck sees one value for every 16 x 16 pixels."""


class SegmentationOutput(NamedTuple):
    """Logits and the per-sample region alignment loss.

    Attributes:
        logits: one for each phase, (N, K, H, W); 0 for a phase about which nothing is known in a sample.
        alignment: loss between region and text, one value per sample (N,).
        earlier: logits (N, K, H, W) of the model that the training started from, 0 at its thresholds; None: it is not
            asked.
    """

    logits: torch.Tensor
    alignment: torch.Tensor
    earlier: torch.Tensor | None = None


class Encoded(NamedTuple):
    """What an encoder makes of images, whatever is asked about them; a decoder leaves it as it is.

    Attributes:
        skips: features (N, C, H', W') of the four levels, from full resolution; H' and W' are multiples of 16.
        bottleneck: features (N, C, H' / 16, W' / 16).
        image: (N, C, H, W), as given; its size is that of the logits.
        around: what the surroundings add to the last features of the decoder, (N, D, H' / 16, W' / 16); None: nothing.
    """

    skips: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
    bottleneck: torch.Tensor
    image: torch.Tensor
    around: torch.Tensor | None = None


def check_image(image: torch.Tensor, in_channels: int) -> None:
    """Check an image batch against a network's input.

    Args:
        image: (N, C, H, W).
        in_channels: the C that the network was built for.

    Raises:
        ValueError: not four dimensions, whole numbers, an empty batch, another channel count, or a side below 16
            pixels.
    """
    if image.dim() != 4:
        raise ValueError(f"image must be (N, C, H, W), not {tuple(image.shape)}")
    if not image.is_floating_point():
        raise ValueError(f"image is {image.dtype}: give normalised grey values in floating point")
    if image.shape[0] == 0:
        raise ValueError("image is an empty batch: N is 0")
    if image.shape[1] != in_channels:
        raise ValueError(f"image has {image.shape[1]} channels, the network was built for {in_channels}")
    if image.shape[2] < STRIDE or image.shape[3] < STRIDE:
        raise ValueError(f"image is {image.shape[2]} x {image.shape[3]} pixels, the smallest is {STRIDE} x {STRIDE}")


def check_text(name: str, feature: torch.Tensor | None, dims: int, batch: int, text_dim: int) -> torch.Tensor:
    """Check one text input against the image batch and the network's text width.

    Args:
        name: `text` or `tokens`, for the message.
        feature: (N, D) or (N, L, D), for K phrases (N, K, D) or (N, K, L, D), or None where the caller gave none.
        dims: 2 for `text`, 3 for `tokens`.
        batch: N of the image.
        text_dim: the D that the network was built for.

    Returns:
        `feature` itself.

    Raises:
        ValueError: missing, another number of dimensions or samples, an empty sequence, another width, or no real
            numbers.
    """
    layout = "(N, D) or (N, K, D)" if dims == 2 else "(N, L, D) or (N, K, L, D)"
    if feature is None:
        raise ValueError(f"the network reads text: give `{name}` {layout} with N = {batch} and D = {text_dim}")
    if feature.dim() not in (dims, dims + 1) or 0 in feature.shape:
        raise ValueError(f"`{name}` must be {layout} and not empty, not {tuple(feature.shape)}")
    if feature.shape[0] != batch:
        raise ValueError(f"`{name}` holds {feature.shape[0]} samples, the image {batch}")
    if feature.shape[-1] != text_dim:
        raise ValueError(f"`{name}` has width {feature.shape[-1]}, the network was built for {text_dim}")
    if not feature.is_floating_point():
        raise ValueError(f"`{name}` must hold real numbers, not {feature.dtype}")
    return feature


def phrase_count(text: torch.Tensor | None, tokens: torch.Tensor | None) -> int | None:
    """K of text (N, K, D) and tokens (N, K, L, D); None for those of one phrase, (N, D) and (N, L, D), and for none.

    Raises:
        ValueError: they are of different numbers of phrases.
    """
    features = [(feature, dims) for feature, dims in ((text, 3), (tokens, 4)) if feature is not None]
    # as numbers: while TorchScript is traced, sizes are tensors, no two of which are one in a set
    counts = {int(feature.shape[1]) if feature.dim() == dims else None for feature, dims in features}
    if len(counts) > 1:
        shapes = [tuple(feature.shape) for feature, _ in features]
        raise ValueError(f"`text` and `tokens` must be of as many phrases, not {shapes[0]} and {shapes[1]}")
    return counts.pop() if counts else None


def check_mask(mask: torch.Tensor, image: torch.Tensor, phrases: int = 1) -> None:
    """Check the true mask (N, K, H, W) of K phrases against its image.

    Raises:
        ValueError: any other shape.
    """
    expected = (image.shape[0], phrases, image.shape[2], image.shape[3])
    if tuple(mask.shape) != expected:
        raise ValueError(f"mask must be {expected} as the image is {tuple(image.shape)}, not {tuple(mask.shape)}")


def pad_to_stride(x: torch.Tensor, mode: str = "replicate") -> torch.Tensor:
    """Pad (N, C, H, W) below and to the right, so that four poolings by two leave no remainder.

    The image's border is replicated, as MONAI's `UpCat` does for odd sizes; a mask is padded with zeros
    (`mode="constant"`), as what lies outside of the image belongs to no region.
    """
    bottom, right = (padded_side(side) - side for side in x.shape[2:])
    if not is_recording() and bottom == right == 0:
        return x
    return F.pad(x, (0, right, 0, bottom), mode=mode)


def crop_to(x: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Undo `pad_to_stride`: the upper left part of (N, C, H', W') at the size of the image (N, C, H, W).

    Recorded by index, not as a slice: `torch.export` asks of a slice whether it is the whole, and the exported graph
    would then take only images that need padding, or only those that need none.
    """
    if not is_recording():
        return x[:, :, : image.shape[2], : image.shape[3]]
    x = x.index_select(2, _places(image[0, 0, :, 0]))
    return x.index_select(3, _places(image[0, 0, 0, :]))


def _places(line: torch.Tensor) -> torch.Tensor:
    """0, 1, 2 ... along a line of pixels (L,), counted from itself: a graph would keep the device of `torch.arange`."""
    return (line.isnan().long() * 0 + 1).cumsum(0) - 1


def padded_side(side: int) -> int:
    """The next multiple of 16 pixels from 32 on, for a side of 16 or more.

    One of 16 would leave one value at the bottleneck, on which batch and instance norm can't train. Written without
    a condition, so that an exported or traced graph keeps the size free.
    """
    return STRIDE * ((side + STRIDE - 1) // STRIDE + STRIDE // side)
