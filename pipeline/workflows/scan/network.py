"""The network as it runs on one scan: statistics pinned, text repeated, precision chosen."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from pipeline.text import TextFeatures
from pipeline.workflows.micrograph_statistics import network_for_tiles
from pipeline.workflows.precision import autocast


def pinned(network: nn.Module, tiles: torch.Tensor, features: TextFeatures, precision: str) -> nn.Module:
    """The network with its statistics fixed to tiles (N, 1, H, W) of a scan, normalised.

    Args:
        network: as trained.
        tiles: spread over the scan's rock, on the network's device.
        features: of the prompt.
        precision: as in `autocast`; that in which it will run, so that the statistics are those of what it will see.
    """
    text, tokens = features.text.to(tiles.device), features.tokens.to(tiles.device)
    count = len(tiles)
    with autocast(precision, tiles.device):
        return network_for_tiles(network, tiles, text.expand(count, -1), tokens.expand(count, -1, -1))


def prompted(network: nn.Module, features: TextFeatures, precision: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of windows (N, 1, H, W), normalised, to logits (N, 1, H, W).

    Args:
        network: as trained, or pinned.
        features: of the prompt.
        precision: as in `autocast`.
    """
    device = next(network.parameters()).device
    text, tokens = features.text.to(device), features.tokens.to(device)

    def run(windows: torch.Tensor) -> torch.Tensor:
        count = len(windows)
        with autocast(precision, windows.device):
            logits: torch.Tensor = network(windows, text.expand(count, -1), tokens.expand(count, -1, -1))
        return logits

    return run
