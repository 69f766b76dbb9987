"""The pictures of a report: the scan, its pores and their probability, small enough for one file."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib import colormaps
from PIL import Image
from skimage.segmentation import find_boundaries

from pipeline.report.content import Pictures
from pipeline.scan.coarse import coarse_channel, coarse_scan, level_within
from pipeline.scan.output import ScanStore
from pipeline.scan.sources import ScanSource
from pipeline.visual import to_grey8
from pipeline.visual.colours import PORE

_MASK, _PROBABILITY = 0, 1
#: longest side of the pictures (px)
_SIDE = 2048
#: most bytes of the scan's and the probability's picture; a third more in the page
_MOST_BYTES = {"scan": 1_200_000, "probability": 500_000}
#: opacity of a pore and of its outline, of 255; a pore of one or two pixels' width is all outline
_FILL, _OUTLINE = 90, 255


def pictures_of(
    source: ScanSource, store: ScanStore, slice_: int, pixel_size_nm: float | None, caption: str
) -> Pictures:
    """Pictures of a slice, from a coarse level of the store and from the scan.

    Args:
        source: the scan, or the slice of a stack.
        store: with its pyramid.
        slice_: number of the slice in the store.
        pixel_size_nm: if known.
        caption: below the pictures.
    """
    level = level_within(store, _SIDE)
    mask = coarse_channel(store, level, _MASK, slice_) > 0
    probability = coarse_channel(store, level, _PROBABILITY, slice_)
    scan = to_grey8(coarse_scan(source, store, level))
    viridis = np.rint(255 * colormaps["viridis"](np.arange(256))[:, :3]).astype(np.uint8)
    x, y, width, height = store.plan.region
    return Pictures(
        scan=_lossy(scan, _MOST_BYTES["scan"]),
        overlay=_overlay(mask),
        probability=_lossy(viridis[probability], _MOST_BYTES["probability"]),
        width=mask.shape[1],
        height=mask.shape[0],
        reduction=2**level,
        corner=(x, y),
        region=(width, height),
        pixel_size_nm=pixel_size_nm,
        caption=caption,
    )


def _lossy(pixels: np.ndarray, most: int) -> bytes:
    """As WebP, in the best quality that keeps to a number of bytes."""
    image = Image.fromarray(pixels)
    for quality in (88, 75, 60, 40, 20):
        data = _webp(image, quality=quality, method=4)
        if len(data) <= most:
            break
    return data


def _overlay(mask: np.ndarray) -> bytes:
    rgba = np.zeros((*mask.shape, 4), np.uint8)
    rgba[mask] = (*PORE, _FILL)
    rgba[find_boundaries(mask, mode="inner")] = (*PORE, _OUTLINE)
    return _webp(Image.fromarray(rgba), lossless=True, quality=50, method=4)


def _webp(image: Image.Image, **options: int | bool) -> bytes:
    file = BytesIO()
    image.save(file, "WEBP", **options)
    return file.getvalue()
