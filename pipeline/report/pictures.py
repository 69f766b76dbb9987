"""The pictures of a report: a scan and its pores, and the slices of a stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import colormaps
from PIL import Image

from pipeline.engine import ScanStore
from pipeline.engine.pyramid import coarse_scan, level_within
from pipeline.engine.store import MASK, PROBABILITY
from pipeline.images import ImageSource
from pipeline.phase_colours import RGB, as_hex, phase_colours
from pipeline.visual import inner_edge, phase_overlay, to_grey8

#: opens a slice of a stack, by its number; of a scan, the only one
Opener = Callable[[int], AbstractContextManager[ImageSource]]


@dataclass(frozen=True)
class SlicePicture:
    """A slice of a stack and its overlay, as WebP, which may be coarser than `Pictures`.

    Attributes:
        number: of the slice, from 0.
        scan: grey.
        overlay: as in `Pictures`.
    """

    number: int
    scan: bytes
    overlay: bytes


@dataclass(frozen=True)
class Pictures:
    """The scan and its overlays, of one size, as WebP.

    Attributes:
        scan: grey.
        overlay: pores, or all phases, transparent elsewhere.
        probability: of each phase, in colour.
        phases: names of these.
        colours: of these in the overlay, as in `#E69F00`.
        width: of the pictures, px.
        height: of the pictures, px.
        reduction: pixels of the scan for each pixel of the pictures, along a side.
        corner: x and y of their upper left corner in the scan, px.
        region: width and height of what they show, px of the scan.
        pixel_size_nm: of the scan, if known.
        caption: what is seen.
        number: of the slice, from 0.
        depth: number of slices of the stack; 1: it is none.
        others: further slices of a stack, ascending.
        sheet: some slices side by side, phases over grey, for prints; empty for a single one.
        on_sheet: numbers of these, from 0.
    """

    scan: bytes
    overlay: bytes
    probability: tuple[bytes, ...]
    phases: tuple[str, ...]
    colours: tuple[str, ...]
    width: int
    height: int
    reduction: int
    corner: tuple[int, int]
    region: tuple[int, int]
    pixel_size_nm: float | None
    caption: str
    number: int = 0
    depth: int = 1
    others: tuple[SlicePicture, ...] = ()
    sheet: bytes = b""
    on_sheet: tuple[int, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """What the viewer calls the overlay and the probabilities."""
        several = [f"probability-{number}" for number in range(1, len(self.phases) + 1)]
        return ("overlay", *(several if len(several) > 1 else ["probability"]))


#: longest side of the pictures (px)
_SIDE = 2048
#: most bytes of the scan's picture, of each probability's, and of these together; a third more in the page
_MOST_BYTES = {"scan": 1_200_000, "probability": 500_000, "probabilities": 2_000_000}
#: opacity of a pore and of its outline, of 255; a pore of one or two pixels' width is all outline. With less, orange
#: over a black pore would be brown
_FILL, _OUTLINE = 190, 255


#: the same of the other slices of a stack together, their overlays not counted, and longest side of each (px)
_MOST_BYTES_OF_SLICES, _SIDE_OF_SLICES = 3_000_000, 700
#: slices on the sheet for prints, in rows of four, and longest side of each (px)
_ON_SHEET, _IN_A_ROW, _SIDE_ON_SHEET = 8, 4, 360


def pictures_of(
    opened: Opener,
    store: ScanStore,
    slice_: int,
    pixel_size_nm: float | None,
    caption: str,
    slices: Sequence[int] = (),
) -> Pictures:
    """Pictures of a slice, and smaller ones of others, from coarse levels of the store and from the scan.

    Args:
        opened: gives the scan, or a slice of the stack.
        store: with its pyramid.
        slice_: number of the slice in the store.
        pixel_size_nm: if known.
        caption: below the pictures.
        slices: all that are pictured, ascending; those of a stack.
    """
    level = level_within(store, _SIDE)
    codes = _codes(store, level, slice_)
    colours = phase_colours(store.phases)
    with opened(slice_) as source:
        scan = to_grey8(coarse_scan(source, store, level))
    viridis = np.rint(255 * colormaps["viridis"](np.arange(256))[:, :3]).astype(np.uint8)
    most = min(_MOST_BYTES["probability"], _MOST_BYTES["probabilities"] // len(colours))
    channels = store.channels[PROBABILITY:]
    x, y, width, height = store.plan.region
    stack = {} if len(slices) < 2 else _stack(opened, store, slice_, slices)
    return Pictures(
        scan=lossy(scan, _MOST_BYTES["scan"]),
        overlay=_overlay(codes, colours),
        probability=tuple(lossy(viridis[store.read_area(level, channel, slice_)], most) for channel in channels),
        phases=store.phases,
        colours=tuple(f"#{as_hex(colour)}" for colour in colours),
        width=codes.shape[1],
        height=codes.shape[0],
        reduction=2**level,
        corner=(x, y),
        region=(width, height),
        pixel_size_nm=pixel_size_nm,
        caption=caption,
        number=slice_,
        depth=store.plan.shape[0],
        **stack,
    )


def _codes(store: ScanStore, level: int, slice_: int) -> np.ndarray:
    """The number of the phase at each pixel, 0 for none."""
    codes = store.read_area(level, MASK, slice_)
    return codes if store.labelled else (codes > 0).astype(np.uint8)


def _stack(opened: Opener, store: ScanStore, shown: int, slices: Sequence[int]) -> dict[str, Any]:
    """What `Pictures` has of the other slices of a stack; one is in memory at a time."""
    level, colours = level_within(store, _SIDE_OF_SLICES), phase_colours(store.phases)
    most = _MOST_BYTES_OF_SLICES // len(slices)
    on_sheet = sorted({slices[round(i)] for i in np.linspace(0, len(slices) - 1, min(_ON_SHEET, len(slices)))})
    others, tiles = [], []
    for number in slices:
        with opened(number) as source:
            scan = to_grey8(coarse_scan(source, store, level))
        codes = _codes(store, level, number)
        if number != shown:
            others.append(SlicePicture(number, lossy(scan, most), _overlay(codes, colours)))
        if number in on_sheet:
            tile = Image.fromarray(phase_overlay(scan, codes, colours))
            tile.thumbnail((_SIDE_ON_SHEET, _SIDE_ON_SHEET))
            tiles.append(tile)
    return {
        "others": tuple(others),
        "sheet": lossy(_side_by_side(tiles), _MOST_BYTES["probability"]),
        "on_sheet": tuple(on_sheet),
    }


def _side_by_side(tiles: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size in rows, from left to right, with white between them."""
    width, height = (side + 8 for side in tiles[0].size)
    rows = -(-len(tiles) // _IN_A_ROW)
    sheet = Image.new("RGB", (width * min(len(tiles), _IN_A_ROW) - 8, height * rows - 8), "white")
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % _IN_A_ROW * width, place // _IN_A_ROW * height))
    return sheet


#: tried from the best one
_QUALITIES = (88, 75, 60, 40, 20)
#: of libwebp's 0 (fast) to 6 (small): 2 takes 1.3 times as long for files of the same size, of overlays three times as
#: long for a fifth less
_METHOD = 0
#: rows of a band and how many rows apart bands begin, by which the size of a picture is guessed (px); a guess within
#: this factor of the limit is worth an attempt
_BAND, _APART, _NEAR = 32, 256, 1.15


def lossy(pixels: np.ndarray | Image.Image, most: int) -> bytes:
    """As WebP, in the best quality that keeps to a number of bytes.

    Qualities are left out of which bands of a large picture say that they would be far too large.
    """
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    bands = _bands(image)
    for quality in _QUALITIES:
        if bands is not None and quality != _QUALITIES[-1]:
            guess = len(_webp(bands, quality=quality, method=_METHOD)) * image.height / bands.height
            if guess > _NEAR * most:
                continue
        data = _webp(image, quality=quality, method=_METHOD)
        if len(data) <= most:
            break
    return data


def _bands(image: Image.Image) -> Image.Image | None:
    """Some rows of a picture, evenly spread; None: it is too small to be worth a guess."""
    if image.height < 2 * _APART:
        return None
    pixels = np.asarray(image)
    tops = range((_APART - _BAND) // 2, image.height - _BAND + 1, _APART)
    return Image.fromarray(np.concatenate([pixels[top : top + _BAND] for top in tops]))


def _overlay(codes: np.ndarray, colours: Sequence[RGB]) -> bytes:
    edges = np.zeros(codes.shape, bool)
    palette = np.zeros((2 * len(colours) + 2, 4), np.uint8)  # of each number, its inside and its outline
    for number, colour in enumerate(colours, start=1):
        edges |= inner_edge(codes == number)
        palette[2 * number : 2 * number + 2] = (*colour, _FILL), (*colour, _OUTLINE)
    # four bytes at a time
    rgba = palette.view(np.uint32)[:, 0][2 * codes + edges].view(np.uint8).reshape(*codes.shape, 4)
    return _webp(Image.fromarray(rgba), lossless=True, quality=50, method=_METHOD)


def _webp(image: Image.Image, **options: int | bool) -> bytes:
    file = BytesIO()
    image.save(file, "WEBP", **options)
    return file.getvalue()
