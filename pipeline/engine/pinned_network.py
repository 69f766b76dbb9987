"""The network for one micrograph: what it reads from a tile is fixed to the statistics of the whole."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import nn

from pipeline.engine.precision import autocast
from pipeline.foreground.measurement import Foreground
from pipeline.foreground.rock_mask import RockMask
from pipeline.images.rectangles import sample_windows
from pipeline.images.volume import ScanVolume
from pipeline.networks import inference_form, pin_statistics
from pipeline.networks.inputs import STRIDE
from pipeline.text import TextFeatures
from pipeline.tiling.windows import Windows, at_network_scale

logger = logging.getLogger("vlsenet")

STATISTICS = ("micrograph", "network")

#: networks that are kept at a time: images of a micrograph mostly come together, and a large network takes much memory
_KEPT = 2

#: tiles that stand for a micrograph, and their side (px): a megapixel in all
TILES = 16
SIDE = 256


def network_for_tiles(
    network: nn.Module, image: torch.Tensor, text: torch.Tensor | None = None, tokens: torch.Tensor | None = None
) -> nn.Module:
    """The network with its statistics pinned to tiles (N, C, H, W) of a micrograph, as fast as it runs; see
    `pin_statistics`. For inference only."""
    return inference_form(_pinned(network, _channels_last(image), text, tokens))


def _pinned(
    network: nn.Module, image: torch.Tensor, text: torch.Tensor | None, tokens: torch.Tensor | None
) -> nn.Module:
    """`pin_statistics` on the device of the images, or on the CPU if they don't fit into the device's memory."""
    device = image.device
    try:
        return pin_statistics(network, image, text, tokens)
    except torch.OutOfMemoryError:
        if device.type == "cpu":
            raise
    # outside of the handler, which keeps what the failed pass had allocated
    logger.warning("%s ran out of memory for a micrograph's statistics; they are computed on the CPU", device)
    text, tokens = (None if feature is None else feature.cpu() for feature in (text, tokens))
    lower = torch.is_autocast_enabled(device.type)
    try:
        with torch.autocast("cpu", torch.get_autocast_dtype(device.type), enabled=lower):
            pinned = pin_statistics(network.cpu(), image.cpu(), text, tokens)
    finally:
        network.to(device)  # with the weights, which both networks share
    return pinned.to(device)


def _channels_last(image: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) in channels-last order, which convolutions see by the strides, and go on with.

    `image.to(memory_format=...)` leaves the strides of a single channel as they are.
    """
    return image.movedim(1, -1).clone(memory_format=torch.contiguous_format).movedim(-1, 1)


class MicrographStatistics:
    """Networks with their statistics pinned to a micrograph, one for each source of a data set.

    The statistics are taken over tiles that are spread over all images of the source. A micrograph's network is made
    when its first image comes, and again when the weights have changed since.

    Args:
        items: what the data set was made of; `source` says from which micrograph an image was cut.
        dataset: the images (C, H, W) with their text features, in the order of the items.
    """

    def __init__(self, items: Sequence[Mapping[str, Any]], dataset: Sequence[Mapping[str, Any]]) -> None:
        self._dataset = dataset
        self._members: dict[str, list[int]] = {}
        for index, item in enumerate(items):
            self._members.setdefault(item["source"], []).append(index)
        self._pinned: dict[str, nn.Module] = {}
        self._made_of: tuple[nn.Module, list[int]] | None = None

    def network_for(self, source: str, network: nn.Module) -> nn.Module:
        """The network for images of a source, for inference only."""
        versions = [tensor._version for tensor in network.state_dict().values()]
        if self._made_of is None or self._made_of[0] is not network or self._made_of[1] != versions:
            self._made_of = network, versions
            self._pinned.clear()
        if source not in self._pinned:
            device = next(network.parameters()).device
            tiles = {name: tensor.to(device) for name, tensor in self._tiles(source).items()}
            if len(self._pinned) == _KEPT:  # the one that was not asked for longest
                del self._pinned[next(iter(self._pinned))]
            self._pinned[source] = network_for_tiles(network, **tiles)
        self._pinned[source] = self._pinned.pop(source)
        return self._pinned[source]

    def _tiles(self, source: str) -> dict[str, torch.Tensor]:
        members = self._members[source]
        chosen = [members[i * len(members) // min(TILES, len(members))] for i in range(min(TILES, len(members)))]
        images = [self._dataset[index] for index in chosen]
        # all of one size, in one batch: that of the largest image; smaller ones are left out
        largest = max((item["image"].shape[1:] for item in images), key=lambda shape: min(shape) * max(shape))
        size = [min(SIDE, max(STRIDE, side // STRIDE * STRIDE)) for side in largest]
        images = [item for item in images if all(a >= b for a, b in zip(item["image"].shape[1:], size, strict=True))]
        tiles = []
        for number, item in enumerate(images):
            crops = _spread(item["image"], size, -(-TILES // len(images)), number)
            tiles += [{**item, "image": crop} for crop in crops]
        keys = [key for key in ("image", "text", "tokens") if key in tiles[0]]
        return {key: torch.stack([torch.as_tensor(tile[key]) for tile in tiles]) for key in keys}


def _spread(image: torch.Tensor, size: Sequence[int], most: int, start: int = 0) -> list[torch.Tensor]:
    """Crops that cover an image (C, H, W), or `most` of them, spread over it; they overlap where it is no multiple.

    Args:
        image: at least as large as the crops.
        size: height and width of a crop (px).
        most: number of crops.
        start: with which crop to begin, where not all are taken, so that images differ in what is taken.
    """
    axes = []
    for side, length in zip(image.shape[1:], size, strict=True):
        count = -(-side // length)
        axes.append([round(i * (side - length) / max(count - 1, 1)) for i in range(count)])
    places = list(itertools.product(*axes))
    number = min(most, len(places))
    taken = [places[(start + i * len(places) // number) % len(places)] for i in range(number)]
    return [image[:, top : top + size[0], left : left + size[1]] for top, left in taken]


Place = tuple[int, int]


def rock_tiles(volume: ScanVolume, windows: Windows, foreground: Foreground, side: int, count: int) -> np.ndarray:
    """Up to `count` tiles (N, side, side), float32, normalised, at the network's scale, spread over a scan's rock.

    Where the rock is too small for tiles without blank ground, the blank part of a tile shows its rock once more.
    """
    slices = [i * volume.depth // min(count, volume.depth) for i in range(min(count, volume.depth))]
    high, wide = (min(side, length) for length in windows.shape)
    rock: list[tuple[int, int, int]] = []
    anywhere: list[tuple[int, int, int]] = []
    maps = {index: foreground.slice_mask(index, volume.shape[1]) for index in slices}
    for index in slices:
        # more than are needed, as some may be empty
        most = -(-4 * count // len(slices))
        found = _places(windows, maps[index], (high, wide), most)
        there = [place for place in found if not maps[index].is_empty_at(windows.scale, *place, high, wide)]
        rock += [(index, *place) for place in there]
        anywhere += [(index, *place) for place in found]
    places = rock or anywhere
    imaged = {place: maps[place[0]].imaged_at(windows.scale, *place[1:], high, wide) for place in places}
    clean = [place for place in places if imaged[place] is None]
    if len(clean) >= count:
        places = clean
    chosen = places if len(places) <= count else [places[i * len(places) // count] for i in range(count)]
    tiles = []
    for index, top, left in chosen:
        with volume.slice(index) as source:
            pixels = at_network_scale(source, windows).read(top, left, high, wide)
        tile = foreground.normalisation.normalised(pixels, index, top, left, windows.scale)
        shown = imaged[index, top, left]
        tiles.append(tile if shown is None else _filled(tile, shown))
    return np.stack(tiles)


def _places(windows: Windows, rock: RockMask, size: tuple[int, int], most: int) -> list[Place]:
    """Upper left corners of up to `most` tiles, at the network's scale, spread over the part of a slice with rock."""
    box = (slice(0, length) for length in rock.cells.shape) if rock.blank is None else rock.blank.box()
    starts, lengths = [], []
    for part, scale, side, length in zip(box, windows.scale, size, windows.shape, strict=True):
        first = min(int(part.start * scale), length - side)
        starts.append(first)
        lengths.append(max(side, min(length, ceil(part.stop * scale)) - first))
    high, wide = size
    found = sample_windows((lengths[0], lengths[1]), size, most * high * wide)
    return [
        (starts[0] + min(top, lengths[0] - high), starts[1] + min(left, lengths[1] - wide)) for top, left, *_ in found
    ]


def _filled(tile: np.ndarray, imaged: np.ndarray) -> np.ndarray:
    """A tile (H, W) in which its own rock, mirrored, stands where it is not imaged; 0 where nothing fits."""
    result, there = np.where(imaged, tile, 0), imaged.copy()
    for mirror in (np.s_[::-1], np.s_[:, ::-1], np.s_[::-1, ::-1]):
        wanted = ~there & imaged[mirror]
        result[wanted] = tile[mirror][wanted]
        there |= wanted
    return result


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
