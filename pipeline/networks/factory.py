"""Networks by name, as the configs ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from pipeline.errors import UserError
from pipeline.names import check_name
from pipeline.networks.blocks import NORMS
from pipeline.networks.equal_parameters import parameters_of, unet_of_equal_parameters
from pipeline.networks.presets import check_features, preset_features
from pipeline.networks.switches import Switches
from pipeline.networks.unet import UNet
from pipeline.networks.vlsenet import VLSENet

NETWORKS = ("vlsenet", "unet")

#: switches that say how a part works: a config may set them for all networks
MANNERS = ("renormalise",)


def build_network(
    network: str = "vlsenet",
    preset: str = "small",
    text_dim: int = 1024,
    in_channels: int = 1,
    out_channels: int = 1,
    norm: str = "batch",
    learned_text: bool = False,
    switches: Mapping[str, bool] | None = None,
    features: Sequence[int] | None = None,
) -> nn.Module:
    """Build a network.

    Args:
        network: `vlsenet`, or `unet` (the baseline, which reads no text).
        preset: widths, `small`, `base` or `large`.
        text_dim: D of the text features.
        in_channels: channels of the image.
        out_channels: logits per pixel.
        norm: `batch`, `instance` or `group`.
        learned_text: add a learned text prior (`vlsenet` only).
        switches: parts of VLSE-Net to set on or off, see `Switches`; those not named are on.
        features: widths of the four levels and the bottleneck, in place of the preset's.

    Returns:
        A network that is called as `network(image, text, tokens, mask)`.

    Raises:
        UserError: an unknown network, preset, norm or switch, switches for the U-Net, or widths that are none.
    """
    check_name("network", network, NETWORKS)
    check_name("norm", norm, NORMS)
    widths = preset_features(preset) if features is None else check_features(features)
    if network == "unet":
        parts = [name for name in switches or () if name not in MANNERS]
        if parts:
            raise UserError(f"the U-Net has no parts to switch off: remove {', '.join(parts)}, or use vlsenet")
        return UNet(in_channels, out_channels, widths, norm)
    return VLSENet(
        in_channels,
        out_channels,
        widths,
        text_dim,
        norm=norm,
        learned_text=learned_text,
        switches=Switches.from_mapping(switches or {}),
    )


def reads_text(network: str, switches: Mapping[str, bool] | None = None, **_: Any) -> bool:
    """Whether a network of these settings, as for `build_network`, reads text, in its training at least."""
    return network == "vlsenet" and Switches.from_mapping(switches or {}).train_with_text


def equal_unet_features(preset: str, **settings: Any) -> tuple[int, ...]:
    """Widths of the U-Net that has as many parameters as the VLSE-Net of a preset, in its proportions.

    Args:
        preset: widths of the VLSE-Net.
        settings: its other settings, as for `build_network`.
    """
    parameters = parameters_of(lambda: build_network("vlsenet", preset, **settings))
    return unet_of_equal_parameters(parameters, preset_features(preset), settings.get("in_channels", 1))
