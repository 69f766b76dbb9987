"""The network for one micrograph: what it reads from a tile is fixed to the statistics of the whole."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from pipeline.engine.precision import autocast
from pipeline.foreground.measurement import Foreground
from pipeline.foreground.rock_mask import RockMask
from pipeline.images.rectangles import Window, sample_windows
from pipeline.images.volume import ScanVolume
from pipeline.networks import inference_form, pinned_with_answer
from pipeline.networks.inputs import STRIDE, crop_to, pad_to_stride
from pipeline.text import TextFeatures
from pipeline.tiling.windows import Windows, at_network_scale

logger = logging.getLogger("vlsenet")

STATISTICS = ("micrograph", "network")

#: windows (N, C, H, W), normalised, and where the network sees surroundings their views (N, 2, h, w)
#: -> logits (N, K, H, W), one for each phase that is asked for
WindowNetwork = Callable[..., torch.Tensor]

#: tiles that stand for a micrograph, and their side (px): a megapixel in all
TILES = 16
SIDE = 256


def network_for_tiles(
    network: nn.Module,
    image: torch.Tensor,
    text: torch.Tensor | None = None,
    tokens: torch.Tensor | None = None,
    view: torch.Tensor | None = None,
) -> nn.Module:
    """The network with its statistics pinned to tiles (N, C, H, W) of a micrograph, as fast as it runs; see
    `pin_statistics` and `inference_form`. For inference only, with the same text in every call."""
    return inference_form(_pinned(network, _channels_last(image), text, tokens, view)[0], text, tokens)


class NetworkForImage(nn.Module):
    """The network with its statistics pinned to one whole image, and its answer on that image.

    The pass that takes the statistics gives the answer too. So an image that is a window of its own is sent through the
    network once; only other windows of it need the form that runs fast.

    Args:
        network: as trained.
        image: (1, C, H, W).
        text: global text feature (1, D), or of K phrases (1, K, D), the same in every call.
        tokens: text token features (1, L, D) or (1, K, L, D), likewise.
        view: what lies around the image, where the network sees it.
    """

    def __init__(
        self,
        network: nn.Module,
        image: torch.Tensor,
        text: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        view: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self._image, self._asked = image, (text, tokens)
        self._network, self._logits = _pinned(network, _channels_last(image), text, tokens, view)
        self._form: nn.Module | None = None

    def _fast(self) -> nn.Module:
        """The form for other windows, made for the first of them.

        No property: where one raises an `AttributeError`, `nn.Module` says instead that it lacks the property.
        """
        if self._form is None:
            self._form = inference_form(self._network, *self._asked)
        return self._form

    def forward(
        self,
        windows: torch.Tensor,
        text: torch.Tensor | None = None,
        tokens: torch.Tensor | None = None,
        **around: torch.Tensor,
    ) -> torch.Tensor:
        """Logits (N, K, H, W) of windows (N, C, H, W) of the image, with their `view` where the network sees it."""
        if torch.equal(windows, self._image):
            return self._logits
        result: torch.Tensor = self._fast()(windows, text, tokens, **around)
        return result


def _pinned(
    network: nn.Module,
    image: torch.Tensor,
    text: torch.Tensor | None,
    tokens: torch.Tensor | None,
    view: torch.Tensor | None,
) -> tuple[nn.Module, torch.Tensor]:
    """`pinned_with_answer` on the device of the images, or on the CPU if they don't fit into the device's memory."""
    device = image.device
    try:
        return pinned_with_answer(network, image, text, tokens, view)
    except torch.OutOfMemoryError:
        if device.type == "cpu":
            raise
    # outside of the handler, which keeps what the failed pass had allocated
    logger.warning("%s ran out of memory for a micrograph's statistics; they are computed on the CPU", device)
    text, tokens, view = (None if feature is None else feature.cpu() for feature in (text, tokens, view))
    lower = torch.is_autocast_enabled(device.type)
    try:
        with torch.autocast("cpu", torch.get_autocast_dtype(device.type), enabled=lower):
            pinned, logits = pinned_with_answer(network.cpu(), image.cpu(), text, tokens, view)
    finally:
        network.to(device)  # with the weights, which both networks share
    return pinned.to(device), logits.to(device)


def _channels_last(image: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) in channels-last order, which convolutions see by the strides, and go on with.

    `image.to(memory_format=...)` leaves the strides of a single channel as they are.
    """
    return image.movedim(1, -1).clone(memory_format=torch.contiguous_format).movedim(-1, 1)


Place = tuple[int, int]


def rock_places(
    volume: ScanVolume, windows: Windows, foreground: Foreground, side: int, count: int
) -> list[tuple[int, Window]]:
    """Up to `count` places of tiles of one size, at the network's scale, spread over a scan's rock: slice and window.

    Rock that is a rectangle in each slice, and all of it no larger than so many tiles, is taken as it is.
    """
    if whole := _whole_rock(windows, foreground, count * side**2):
        return list(enumerate(whole))
    slices = [i * volume.depth // min(count, volume.depth) for i in range(min(count, volume.depth))]
    high, wide = (min(side, length) for length in windows.shape)
    rock: list[tuple[int, int, int]] = []
    anywhere: list[tuple[int, int, int]] = []
    maps = {index: foreground.masks[index] for index in slices}
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
    return [(index, Window(top, left, high, wide)) for index, top, left in chosen]


def rock_tiles(volume: ScanVolume, windows: Windows, foreground: Foreground, side: int, count: int) -> np.ndarray:
    """Up to `count` tiles (N, C, side, side) spread over a scan's rock: `tiles_at` at `rock_places`."""
    return tiles_at(volume, windows, foreground, rock_places(volume, windows, foreground, side, count))


def tiles_at(
    volume: ScanVolume, windows: Windows, foreground: Foreground, places: Sequence[tuple[int, Window]]
) -> np.ndarray:
    """Tiles (N, C, H, W), float32, normalised, at places (`rock_places`).

    Where the rock is too small for tiles without blank ground, the blank part of a tile shows its rock once more.
    """
    tiles = []
    for index, place in places:
        tile = _tile(volume, windows, foreground, index, place)
        shown = foreground.masks[index].imaged_at(windows.scale, *place)
        tiles.append(tile if shown is None or shown.all() else _filled(tile, shown))
    return np.stack(tiles)


def _whole_rock(windows: Windows, foreground: Foreground, most_pixels: int) -> list[Window] | None:
    """Rectangles of one size that hold all rock, one in each slice; None: there are none, or they are too large."""
    found: list[Window] = []
    for mask in foreground.masks:
        place = _rock_alone(mask, windows, most_pixels)
        if place is None or (place.height, place.width) != (found or [place])[0][2:]:
            return None
        found.append(place)
        if len(found) * place.height * place.width > most_pixels:
            return None
    return found


def _rock_alone(mask: RockMask, windows: Windows, most_pixels: int) -> Window | None:
    """The rectangle, at the network's scale, that holds all rock of a slice and nothing else, if it is one.

    Within blank ground, it is looked for where the slice is not resampled, which would blur its border, and not much
    larger than `most_pixels`.
    """
    place, is_rock = Window(0, 0, *windows.shape), not mask.empty.any()
    if mask.blank is not None:
        if windows.scale != (1, 1) or place.height * place.width > 4 * most_pixels:
            return None
        rock = mask.rock(*place)
        rows, columns = (np.flatnonzero(rock.any(axis)) for axis in (1, 0))
        if not len(rows):
            return None
        place = Window(int(rows[0]), int(columns[0]), int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)
        is_rock = np.count_nonzero(rock) == place.height * place.width
    large_enough = min(place.height, place.width) >= STRIDE
    return place if is_rock and large_enough and not mask.is_empty_at(windows.scale, *place) else None


def _tile(volume: ScanVolume, windows: Windows, foreground: Foreground, index: int, place: Window) -> np.ndarray:
    """A part (C, H, W) of a slice as the network sees it, at its scale."""
    with volume.slice(index) as source:
        pixels = at_network_scale(source, windows).read(*place)
    return foreground.normalisation.network_input(pixels, index, place.top, place.left, windows.scale)


def _places(windows: Windows, rock: RockMask, size: tuple[int, int], most: int) -> list[Place]:
    """Upper left corners of up to `most` tiles, at the network's scale, spread over the part of a slice with rock."""
    box = (slice(0, length) for length in rock.shape) if rock.blank is None else rock.blank.box()
    starts, lengths = [], []
    for part, scale, side, length in zip(box, windows.scale, size, windows.shape, strict=True):
        first = min(int(part.start * scale), length - side)
        starts.append(first)
        lengths.append(max(side, min(length, math.ceil(part.stop * scale)) - first))
    high, wide = size
    found = sample_windows((lengths[0], lengths[1]), size, most * high * wide)
    return [
        (starts[0] + min(top, lengths[0] - high), starts[1] + min(left, lengths[1] - wide)) for top, left, *_ in found
    ]


def _filled(tile: np.ndarray, imaged: np.ndarray) -> np.ndarray:
    """A tile (C, H, W) in which its own rock, mirrored, stands where it is not imaged (H, W); 0 where nothing fits."""
    result, there = np.where(imaged, tile, 0), imaged.copy()
    for mirror in (np.s_[::-1, :], np.s_[:, ::-1], np.s_[::-1, ::-1]):
        wanted = ~there & imaged[mirror]
        mirrored = tile.transpose(1, 2, 0)[mirror]
        result[:, wanted] = mirrored[wanted].T
        there |= wanted
    return result


def pinned(
    network: nn.Module,
    tiles: torch.Tensor,
    features: TextFeatures,
    precision: str,
    is_image: bool = False,
    view: torch.Tensor | None = None,
) -> nn.Module:
    """The network with its statistics fixed to tiles (N, C, H, W) of a scan, normalised.

    Args:
        network: as trained.
        tiles: spread over the scan's rock, on the network's device.
        features: of the prompt, text (D,) and tokens (L, D), or of K phases' prompts, (K, D) and (K, L, D).
        precision: as in `autocast`; that in which it will run, so that the statistics are those of what it will see.
        is_image: the one tile is the whole scan, so that it may be asked for too; see `NetworkForImage`.
        view: what lies around the tiles, where the network sees it.
    """
    text, tokens = features.text.to(tiles.device), features.tokens.to(tiles.device)
    count = len(tiles)
    make: Callable[..., nn.Module] = NetworkForImage if is_image else network_for_tiles
    with autocast(precision, tiles.device):
        return make(network, tiles, *_for_each(count, text, tokens), view)


def _for_each(count: int, *features: torch.Tensor) -> list[torch.Tensor]:
    """Features of a prompt, or of several, for each window of a batch."""
    return [feature.expand(count, *feature.shape) for feature in features]


def prompted(network: nn.Module, features: TextFeatures, precision: str, mirror: bool = False) -> WindowNetwork:
    """A function of windows (N, C, H, W), normalised, and what lies around them, to logits (N, K, H, W).

    Args:
        network: as trained, or pinned.
        features: as for `pinned`; of one prompt (D,) and (L, D), K is 1.
        precision: as in `autocast`.
        mirror: average the logits over the four mirrorings of each window: four times the work for a steadier answer,
            as a pore is one from every side.
    """
    device = next(network.parameters()).device
    text, tokens = features.text.to(device), features.tokens.to(device)

    def once(windows: torch.Tensor, view: torch.Tensor | None = None) -> torch.Tensor:
        around = {} if view is None else {"view": view}
        with autocast(precision, windows.device):
            logits: torch.Tensor = network(windows, *_for_each(len(windows), text, tokens), **around)
        return logits

    def mirrored(windows: torch.Tensor, view: torch.Tensor | None = None) -> torch.Tensor:
        # whole blocks of the poolings, so that a mirrored window pools the same pixels; the view is of these
        padded = pad_to_stride(windows)
        logits = [
            once(padded.flip(axes), None if view is None else view.flip(axes)).flip(axes).float()
            for axes in ((), (2,), (3,), (2, 3))
        ]
        return crop_to(torch.stack(logits).mean(0), windows)

    return mirrored if mirror else once
