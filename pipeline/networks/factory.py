"""Networks by name, at named widths, as the configs ask for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from itertools import product
from typing import Any

import torch
from torch import nn

from pipeline.errors import UserError
from pipeline.networks.blocks import NORMS
from pipeline.networks.surroundings import REACHES
from pipeline.networks.switches import Switches
from pipeline.networks.unet import UNet
from pipeline.networks.vlsenet import VLSENet
from pipeline.wording import check_name

#: Widths are multiples of it, which suits both group normalisation and the hardware.
STEP = 8
NETWORKS = ("vlsenet", "unet")
#: switches that decide how a part works, not whether it is there: a config may set them for the U-Net too
MODE_SWITCHES = ("renormalise", "bounded_modulation", "contrast")


def _presets() -> dict[str, list[int]]:
    content: dict[str, list[int]] = json.loads(
        resources.files(__package__).joinpath("presets.json").read_text(encoding="utf-8")
    )
    return content


#: names of the presets
PRESETS = tuple(_presets())


def preset_features(preset: str) -> tuple[int, ...]:
    """Widths of the four levels and the bottleneck.

    Args:
        preset: `small`, `base` or `large` (`large` is the published size).

    Raises:
        UserError: an unknown preset.
    """
    return tuple(_presets()[check_name("preset", preset, PRESETS)])


def check_features(features: Any) -> tuple[int, ...]:
    """Return widths that a user gave, if they are: of the four levels and the bottleneck.

    Raises:
        UserError: anything but five whole numbers, 2 or more each.
    """
    if not isinstance(features, (list, tuple)) or len(features) != 5 or not all(map(_is_width, features)):
        quoted = ", which in a file has no quotes around it" if isinstance(features, str) else ""
        raise UserError(
            f"features {features}: give the widths of four levels and the bottleneck, each 2 or more, as a list: "
            f"[16,32,64,128,256]{quoted}"
        )
    return tuple(features)


def _is_width(value: Any) -> bool:
    # upsampling leaves half of a width
    return isinstance(value, int) and not isinstance(value, bool) and value > 1


def parameter_count(network: nn.Module) -> int:
    """All parameters of a network; buffers (running statistics, say) are not among them."""
    return sum(parameter.numel() for parameter in network.parameters())


def parameters_of(build: Callable[[], nn.Module]) -> int:
    """Parameters of the network that `build` makes, without the memory and time of making it."""
    with torch.device("meta"):
        return parameter_count(build())


def unet_of_equal_parameters(
    parameters: int, features: Sequence[int], in_channels: int = 1, phases: int = 1
) -> tuple[int, ...]:
    """Widths of the U-Net whose number of parameters comes nearest.

    The widths stand to each other as those given, to the next multiple of 8; the three deepest, which hold nearly
    all parameters, are then tried a step narrower and wider.

    Args:
        parameters: the number to come near to.
        features: widths of the four levels and the bottleneck that give the proportions.
        in_channels: channels of the image.
        phases: logits of each pixel.

    Returns:
        Five widths, each a multiple of 8.
    """

    def count(widths: Sequence[int]) -> int:
        return parameters_of(lambda: UNet(in_channels, phases, widths))

    def scaled(bottleneck: int) -> tuple[int, ...]:
        scale = bottleneck / features[-1]
        return tuple(max(STEP, STEP * round(width * scale / STEP)) for width in features)

    bottleneck = STEP
    while count(scaled(bottleneck + STEP)) <= parameters:
        bottleneck += STEP
    *shallow, level_3, level_4, deepest = scaled(bottleneck)
    steps = (-STEP, 0, STEP)
    near = [
        (*shallow, level_3 + a, level_4 + b, deepest + c)
        for a, b, c in product(steps, repeat=3)
        if min(level_3 + a, level_4 + b, deepest + c) > 0
    ]
    return min(near, key=lambda widths: abs(count(widths) - parameters))


def build_network(
    network: str = "vlsenet",
    preset: str = "small",
    text_dim: int = 1024,
    in_channels: int = 1,
    phases: int = 1,
    norm: str = "instance",
    learned_text: bool = False,
    switches: Mapping[str, bool] | None = None,
    features: Sequence[int] | None = None,
    reach: int | None = None,
) -> nn.Module:
    """Build a network.

    Args:
        network: `vlsenet`, or `unet` (the baseline, which reads no text).
        preset: widths, `small`, `base` or `large`.
        text_dim: D of the text features.
        in_channels: channels of the image.
        phases: that it is asked for. The U-Net has a logit for each; VLSE-Net any number of phrases, of which learned
            text has vectors for so many.
        norm: `batch`, `instance` or `group`.
        learned_text: add a learned text prior (`vlsenet` only).
        switches: parts of VLSE-Net to set on or off; see `Switches.from_mapping`.
        features: widths of the four levels and the bottleneck, in place of the preset's.
        reach: how far it sees beyond its window (px), at an eighth of the resolution; None: not at all.

    Returns:
        A network that is called as `network(image, text, tokens, mask, view)`.

    Raises:
        UserError: an unknown network, preset, norm, switch or reach, switches for the U-Net, or widths that are none.
    """
    if reach is not None and reach not in REACHES:
        raise UserError(f"a reach of {reach} px: choose {', '.join(map(str, REACHES))}")
    check_name("network", network, NETWORKS)
    check_name("norm", norm, NORMS)
    widths = preset_features(preset) if features is None else check_features(features)
    if network == "unet":
        parts = [name for name in switches or () if name not in MODE_SWITCHES]
        if parts:
            raise UserError(f"the U-Net has no parts to switch off: remove {', '.join(parts)}, or use vlsenet")
        return UNet(in_channels, phases, widths, norm, reach)
    return VLSENet(
        in_channels,
        phases,
        widths,
        text_dim,
        norm=norm,
        learned_text=learned_text,
        switches=Switches.from_mapping(switches),
        reach=reach,
    )


def reads_text(network: str, switches: Mapping[str, bool] | None = None, phases: int = 1, **_: Any) -> bool:
    """Whether a network of these settings, as for `build_network`, reads text, in its training at least."""
    return network == "vlsenet" and Switches.from_mapping(switches).of(phases).train_with_text


def rows_of_phases(network: nn.Module) -> tuple[str, ...]:
    """Names of the weights that have a row for each phase that the network is trained for, in their order."""
    if isinstance(network, VLSENet):
        return () if network.learned_text is None or network.learned_text.own is None else ("learned_text.own",)
    return ("final_conv.weight", "final_conv.bias")


def equal_unet_features(preset: str, **settings: Any) -> tuple[int, ...]:
    """Widths of the U-Net that has as many parameters as the VLSE-Net of a preset, in its proportions.

    Args:
        preset: widths of the VLSE-Net.
        settings: its other settings, as for `build_network`.
    """
    parameters = parameters_of(lambda: build_network("vlsenet", preset, **settings))
    inputs, phases = settings.get("in_channels", 1), settings.get("phases", 1)
    return unet_of_equal_parameters(parameters, preset_features(preset), inputs, phases)
