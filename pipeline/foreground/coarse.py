"""A scan at an eighth of its resolution: what the network sees around its windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from math import prod
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.files import atomic_path, left_over, write_error
from pipeline.foreground.cell_statistics import is_of_a_part
from pipeline.foreground.measurement import Foreground
from pipeline.images import ImageSource
from pipeline.images.rectangles import Window
from pipeline.images.storage import THREADS
from pipeline.images.volume import ScanVolume
from pipeline.networks.inputs import padded_side
from pipeline.networks.surroundings import CHANNELS, FACTOR, view_margin, view_side
from pipeline.tiling.windows import Windows, at_network_scale

#: side of the squares that are read at a time (px, at the network's scale)
_SIDE = 128 * FACTOR


@dataclass(frozen=True)
class Seen:
    """Where a network looks that sees more than its windows.

    Attributes:
        windows: at the network's scale, each with its slice.
        reach: of the network, beyond a window (px).
    """

    windows: Sequence[tuple[int, Window]]
    reach: int

    def corners(self, slice_: int, corners: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Those of squares of `_SIDE` (px), by their upper left corners, that are seen in a slice."""
        margin = view_margin(self.reach) * FACTOR
        seen: set[tuple[int, int]] = set()
        for _, window in (one for one in self.windows if one[0] == slice_):
            rows, columns = (
                range((start - margin) // _SIDE, (start + padded_side(side) + margin) // _SIDE + 1)
                for start, side in zip(window[:2], window[2:], strict=True)
            )
            seen |= {(row * _SIDE, column * _SIDE) for row in rows for column in columns}
        return [corner for corner in corners if corner in seen]


@dataclass(frozen=True)
class CoarseMicrograph:
    """All slices of a scan, each pixel the mean of 8 x 8 of the network's.

    Two channels: grey levels in standard deviations above the rock's mean, with shading left in; and which share of the
    pixel is imaged. Outside of the image, in an info bar and in blank ground both are 0, and so is what can't be read:
    the network may look at what lies far from the region of interest, but it does not need it.

    Of a region of interest, only what lies around it is read, and 0 elsewhere. What is read does not depend on the
    region: statistics are those of the whole scan, and squares of it are read whole.

    Attributes:
        values: (slices, H, W, 2), float16; or the file that holds them, of which only what is looked at is read.
    """

    values: np.ndarray | Path

    @classmethod
    def of(
        cls, volume: ScanVolume, windows: Windows, foreground: Foreground, seen: Seen | None = None
    ) -> CoarseMicrograph:
        """Of a scan, in memory; of what is seen around some windows only, or all of it."""
        values = np.zeros(_shape(volume, windows), np.float16)
        for index, top, band in _bands(volume, windows, foreground, seen):
            values[index, top : top + len(band)] = band
        return cls(values)

    @classmethod
    def kept(
        cls, file: Path, volume: ScanVolume, windows: Windows, foreground: Foreground, seen: Seen | None = None
    ) -> CoarseMicrograph:
        """Of a scan that may be larger than the memory, in a file; one that is there already is taken as it is.

        What is not seen is a hole in the file.

        Raises:
            UserError: the disk refuses.
        """
        if not file.exists():
            for stale in left_over(file):
                stale.unlink(missing_ok=True)
            shape = _shape(volume, windows)
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            try:
                with atomic_path(file) as partial_file, partial_file.open("wb") as stream:
                    np.lib.format.write_array_header_1_0(stream, header)
                    first, row = stream.tell(), prod(shape[2:]) * 2
                    for index, top, band in _bands(volume, windows, foreground, seen):
                        stream.seek(first + (index * shape[1] + top) * row)
                        stream.write(band.astype("<f2", copy=False).tobytes())
                    stream.truncate(first + prod(shape[:2]) * row)
            except OSError as error:
                raise write_error(file, error) from error
        return cls(file)

    def view(self, slice_: int, window: Window, reach: int) -> np.ndarray:
        """What lies around a window, and in it.

        Args:
            slice_: which it is of.
            window: at the network's scale; it may reach beyond the scan. One that does not start at a multiple of 8
                pixels is shown from the multiple before.
            reach: of the network, beyond the window (px).

        Returns:
            (2, `view_side(height)`, `view_side(width)`), float32.
        """
        # opened anew each time: what a mapped file was read for would stay in memory
        values = np.load(self.values, mmap_mode="r") if isinstance(self.values, Path) else self.values
        top, left = (start // FACTOR - view_margin(reach) for start in window[:2])
        wanted = Window(top, left, *(view_side(side, reach) for side in window[2:]))
        result = np.zeros((CHANNELS, wanted.height, wanted.width), np.float32)
        if there := wanted.common(Window(0, 0, *values.shape[1:3])):
            rows, columns = slice(there.top, there.top + there.height), slice(there.left, there.left + there.width)
            shown = values[slice_, rows, columns].transpose(2, 0, 1)
            y, x = there.top - top, there.left - left
            result[:, y : y + there.height, x : x + there.width] = shown
        return result


def _shape(volume: ScanVolume, windows: Windows) -> tuple[int, int, int, int]:
    high, wide = (-(-side // FACTOR) for side in windows.shape)
    return volume.depth, high, wide, CHANNELS


def _bands(
    volume: ScanVolume, windows: Windows, foreground: Foreground, seen: Seen | None
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Rows of coarse pixels (h, W, 2), float16, each with its slice and its first row; one is in memory at a time."""
    high, wide = windows.shape
    corners = [(top, left) for top in range(0, high, _SIDE) for left in range(0, wide, _SIDE)]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="reader") as readers:
        for index in range(volume.depth):
            wanted = corners if seen is None else seen.corners(index, corners)
            with volume.slice(index) as source:
                means = partial(_means, at_network_scale(source, windows), windows, foreground, index)
                for top, row in groupby(wanted, lambda corner: corner[0]):
                    squares = [Window(top, x, min(_SIDE, high - top), min(_SIDE, wide - x)) for _, x in row]
                    band = np.zeros((-(-squares[0].height // FACTOR), -(-wide // FACTOR), CHANNELS), np.float16)
                    for square, found in zip(squares, readers.map(means, squares), strict=True):
                        left = square.left // FACTOR
                        band[:, left : left + found.shape[1]] = found
                    yield index, top // FACTOR, band


def _means(source: ImageSource, windows: Windows, foreground: Foreground, slice_: int, square: Window) -> np.ndarray:
    """The coarse pixels (h, w, 2), float16, of a square."""
    high, wide = (-(-side // FACTOR) for side in square[2:])
    try:
        pixels = source.read(*square)
    except UserError as error:
        if not is_of_a_part(error):
            raise
        return np.zeros((high, wide, CHANNELS), np.float16)
    grey = foreground.normalisation.with_shading(pixels)
    imaged = foreground.masks[slice_].imaged_at(windows.scale, *square)
    inside = np.ones(square[2:], np.float32) if imaged is None else imaged.astype(np.float32)
    if imaged is not None:
        grey *= inside
    return np.stack([_block_means(channel, high, wide) for channel in (grey, inside)], axis=-1).astype(np.float16)


def _block_means(channel: np.ndarray, high: int, wide: int) -> np.ndarray:
    """Means of blocks of 8 x 8 pixels of (H, W), which count as 0 beyond its end."""
    missing = high * FACTOR - channel.shape[0], wide * FACTOR - channel.shape[1]
    padded = np.pad(channel, [(0, number) for number in missing]) if any(missing) else channel
    # rows first: whole rows are added at the speed of the memory
    rows = padded.reshape(high, FACTOR, -1).sum(1)
    means: np.ndarray = rows.reshape(high, wide, FACTOR).sum(2) / FACTOR**2
    return means
