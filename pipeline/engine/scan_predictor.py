"""The network for one scan, and the predictor of its chunks: put together in one place for every command."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from pipeline.engine.pinned_network import SIDE, TILES, pinned, prompted, rock_places, tiles_at
from pipeline.engine.prediction import ChunkPredictor, PredictionSettings, Surroundings
from pipeline.foreground.coarse import CoarseMicrograph, Seen
from pipeline.foreground.measurement import Foreground
from pipeline.images.volume import ScanVolume
from pipeline.networks.surroundings import reach_of_network
from pipeline.text import TextFeatures
from pipeline.tiling.windows import Windows


def seen_around(volume: ScanVolume, windows: Windows, foreground: Foreground, reach: int) -> Seen | None:
    """Where a network looks for a region of interest: there, and at the tiles that its statistics are taken from.

    None: everywhere.
    """
    plan = windows.plan
    if plan.roi is None:
        return None
    parts = [windows.imaged(plan[index]) for index in range(len(plan))]
    there = [(part.slice, windows.around(part)) for part in parts if part.height]
    return Seen(there + rock_places(volume, windows, foreground, SIDE, TILES), reach)


def predictor_for(
    volume: ScanVolume,
    windows: Windows,
    foreground: Foreground,
    network: nn.Module,
    features: TextFeatures,
    settings: PredictionSettings,
    batch: int,
    device: torch.device,
    logits: Sequence[int] | None = None,
    coarse: CoarseMicrograph | None = None,
) -> ChunkPredictor:
    """The predictor of a scan, in every command: the network with the scan's statistics, asked with a text.

    Args:
        volume: the scan.
        windows: of its plan.
        foreground: measured of it.
        network: as trained, on the device.
        features: of the text, or of those of K phases.
        settings: how the network is applied.
        batch: windows in one forward pass.
        device: where the network runs.
        logits: which of the network's are those of the phases, where it gives others too.
        coarse: the scan at an eighth of its resolution, for a network that sees surroundings; None: it is made here.
    """
    network, around = pinned_for(volume, windows, foreground, network, features, settings, device, coarse)
    run = prompted(network, features, settings.precision, settings.mirrors(volume))
    return ChunkPredictor(volume, windows, run, foreground, batch, device, features.phases, logits, around)


def pinned_for(
    volume: ScanVolume,
    windows: Windows,
    foreground: Foreground,
    network: nn.Module,
    features: TextFeatures,
    settings: PredictionSettings,
    device: torch.device,
    coarse: CoarseMicrograph | None = None,
    *,
    answers: bool = True,
) -> tuple[nn.Module, Surroundings | None]:
    """The network with the statistics of a scan, unless each norm keeps its own way, and what it sees around windows.

    Args:
        volume, windows, foreground, network, features, settings, device, coarse: as for `predictor_for`.
        answers: whether it may keep its answer on an image that is a window of its own, and not run for it again.
    """
    reach = reach_of_network(network)
    around = None
    if reach is not None:
        seen = seen_around(volume, windows, foreground, reach)
        around = Surroundings(coarse or CoarseMicrograph.of(volume, windows, foreground, seen), reach)
    if settings.statistics == "micrograph":
        places = rock_places(volume, windows, foreground, SIDE, TILES)
        tiles = torch.from_numpy(tiles_at(volume, windows, foreground, places)).to(device)
        is_image = answers and len(tiles) == 1 and tuple(tiles.shape[2:]) == tuple(windows.shape)
        view = None if around is None else torch.cat([around.view(*place) for place in places]).to(device)
        network = pinned(network, tiles, features, settings.precision, is_image, view)
    return network, around
