"""Tiles of a scan's rock, for what the network's statistics are fixed by."""

from __future__ import annotations

from math import ceil

import numpy as np

from pipeline.scan.ground import Ground
from pipeline.scan.intensity import sample_windows
from pipeline.scan.resampling import at_network_scale
from pipeline.scan.rock_map import RockMap
from pipeline.scan.volume import ScanVolume
from pipeline.scan.windows import Windows

Place = tuple[int, int]


def rock_tiles(volume: ScanVolume, windows: Windows, ground: Ground, side: int, count: int) -> np.ndarray:
    """Up to `count` tiles (N, side, side), float32, normalised, at the network's scale, spread over a scan's rock.

    Where the rock is too small for tiles without blank ground, the blank part of a tile shows its rock once more.
    """
    slices = [i * volume.depth // min(count, volume.depth) for i in range(min(count, volume.depth))]
    high, wide = (min(side, length) for length in windows.shape)
    rock: list[tuple[int, int, int]] = []
    anywhere: list[tuple[int, int, int]] = []
    maps = {index: ground.slice_map(index, volume.shape[1]) for index in slices}
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
        tile = ground.greys.normalised(pixels, index, top, left, windows.scale)
        shown = imaged[index, top, left]
        tiles.append(tile if shown is None else _filled(tile, shown))
    return np.stack(tiles)


def _places(windows: Windows, rock: RockMap, size: tuple[int, int], most: int) -> list[Place]:
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
