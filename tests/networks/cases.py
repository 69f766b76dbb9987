"""Small networks and random inputs for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from pipeline.networks import Switches, VLSENet
from pipeline.networks.unet import UNet

FEATURES = (8, 8, 16, 16, 32)
TEXT_DIM = 12
#: every part left out: the U-Net
ALL_OFF = Switches(**dict.fromkeys(Switches.names(), False))

ALL_ON = Switches.from_mapping({})

CASES: dict[str, Callable[[int, int], nn.Module]] = {
    "unet-batch": lambda i, o: UNet(i, o, FEATURES, norm="batch"),
    "unet-group": lambda i, o: UNet(i, o, FEATURES, norm="group"),
    "unet-instance": lambda i, o: UNet(i, o, FEATURES, norm="instance"),
    "vlsenet-batch": lambda i, o: VLSENet(i, o, FEATURES, TEXT_DIM, norm="batch", switches=ALL_ON),
    "vlsenet-instance": lambda i, o: VLSENet(i, o, FEATURES, TEXT_DIM, norm="instance", switches=ALL_ON),
    "vlsenet-group": lambda i, o: VLSENet(i, o, FEATURES, TEXT_DIM, norm="group", switches=ALL_ON),
    "vlsenet-learned-text": lambda i, o: VLSENet(
        i, o, FEATURES, TEXT_DIM, norm="batch", learned_text=True, switches=ALL_ON
    ),
    "vlsenet-as-trained": lambda i, o: VLSENet(i, o, FEATURES, TEXT_DIM, learned_text=True),
    "vlsenet-all-off": lambda i, o: VLSENet(i, o, FEATURES, TEXT_DIM, norm="batch", switches=ALL_OFF),
}
"""Every network that must keep the contract of this package, by name: (in_channels, phases) -> network."""


def build(case: str, in_channels: int = 1, phases: int = 1, seed: int = 0) -> nn.Module:
    """A network of `CASES` with seeded weights."""
    torch.manual_seed(seed)
    return CASES[case](in_channels, phases)


def batch(
    n: int = 2, channels: int = 1, height: int = 48, width: int = 32, seed: int = 1, phases: int | None = None
) -> dict[str, torch.Tensor]:
    """Random image, text, tokens and mask, as keyword arguments of `forward`; of one phrase, or of so many phases."""
    generator = torch.Generator().manual_seed(seed)
    several = (n,) if phases is None else (n, phases)
    return {
        "image": torch.rand(n, channels, height, width, generator=generator),
        "text": F.normalize(torch.randn(*several, TEXT_DIM, generator=generator), dim=-1),
        "tokens": F.normalize(torch.randn(*several, 5, TEXT_DIM, generator=generator), dim=-1),
        "mask": (torch.rand(n, phases or 1, height, width, generator=generator) < 0.2).float(),
    }
