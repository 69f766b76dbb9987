"""The network as it runs on one scan: statistics pinned, text repeated, precision chosen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from pipeline.data import Intensity
from pipeline.networks.inputs import STRIDE
from pipeline.scan.empty_ground import EmptyGround
from pipeline.scan.intensity import sample_windows
from pipeline.scan.sources import ScanSource
from pipeline.text import TextFeatures
from pipeline.workflows.precision import autocast
from pipeline.workflows.scan_statistics import SIDE, TILES, network_for_tiles


def scan_network(
    network: nn.Module,
    source: ScanSource,
    intensity: Intensity,
    empty: EmptyGround | None,
    features: TextFeatures,
    statistics: str,
    precision: str,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of windows (N, 1, H, W), normalised, to logits (N, 1, H, W).

    Args:
        network: as trained.
        source: the scan.
        intensity: of the scan.
        empty: ground that stands for no rock.
        features: of the prompt.
        statistics: `micrograph`: taken over tiles that are spread over the scan's rock; `network`: its own way.
        precision: as in `autocast`.
    """
    device = next(network.parameters()).device
    text, tokens = features.text.to(device), features.tokens.to(device)
    if statistics == "micrograph":
        tiles = torch.from_numpy(_tiles(source, empty)).to(device)
        tiles = ((tiles - intensity.mean) / intensity.std).unsqueeze(1)
        count = len(tiles)
        network = network_for_tiles(network, tiles, text.expand(count, -1), tokens.expand(count, -1, -1))

    def run(windows: torch.Tensor) -> torch.Tensor:
        count = len(windows)
        with autocast(precision, windows.device):
            logits: torch.Tensor = network(windows, text.expand(count, -1), tokens.expand(count, -1, -1))
        return logits

    return run


def _tiles(source: ScanSource, empty: EmptyGround | None) -> np.ndarray:
    """Up to 16 tiles (N, H, W), float32, spread over the scan's rock."""
    height, width = (min(SIDE, max(STRIDE, length // STRIDE * STRIDE)) for length in source.shape)
    # more than are needed, as some may be empty
    places = [window[:2] for window in sample_windows(source.shape, (SIDE, SIDE), 4 * TILES * SIDE**2)]
    places = [(min(top, source.shape[0] - height), min(left, source.shape[1] - width)) for top, left in places]
    rock = [place for place in places if empty is None or not empty.covers(*place, height, width)] or places
    chosen = rock if len(rock) <= TILES else [rock[i * len(rock) // TILES] for i in range(TILES)]
    return np.stack([source.read(*place, height, width).astype(np.float32) for place in chosen])
