"""Whether neighbouring slices of a stack are shifted against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage
from skimage.registration import phase_cross_correlation

from pipeline.images.rectangles import Roi
from pipeline.images.volume import ScanVolume
from pipeline.tiling.chunk_plan import ChunkPlan


def imaged_region(plan: ChunkPlan, volume: ScanVolume) -> Roi:
    """The segmented region without the rows of an info bar; at least a row high.

    An info bar is part of the output, and holds no pores: no pore would reach the last row.
    """
    return volume.rows.within(plan.region)


#: longest side of the pictures that are compared (px)
_SIDE = 1024
#: pairs of slices that are compared at most
_PAIRS = 16
#: shifts are measured to one part in this many of the pictures' pixels
_STEPS = 10
#: the mean over this share of a picture's longer side is subtracted: shading stays in place when the sample moves
_SHADING = 1 / 16
#: least height of the correlation's peak, in standard deviations above the mean: of a million places with pictures that
#: have nothing in common, the highest reaches some 7
_LEAST_PEAK = 10.0
#: pixels of a slice that are read at once
_PIXELS = 1 << 24


@dataclass(frozen=True)
class SliceShifts:
    """Shifts of slices against the next, over a sample of neighbours.

    Attributes:
        pairs: neighbours that were compared.
        unlike: of them, those that have too little in common to measure a shift.
        median_px: median length of the others' shifts (px); None where there are none.
        largest_px: the longest (px); None where there are none.
        resolution_px: shifts are multiples of this (px).
    """

    pairs: int
    unlike: int
    median_px: float | None
    largest_px: float | None
    resolution_px: float


def slice_shifts(volume: ScanVolume, region: Roi) -> SliceShifts:
    """Find how far neighbouring slices are shifted against each other, by correlation of coarse pictures.

    M. Guizar-Sicairos, S. T. Thurman and J. R. Fienup, Efficient subpixel image registration algorithms, Optics
    Letters 33, 2008 (`skimage.registration.phase_cross_correlation`). Only shifts are found, no rotation and no drift
    of the magnification; a structure that slants through the stack looks like one.

    Args:
        volume: the stack.
        region: what is compared, without an info bar.
    """
    pairs = np.unique(np.linspace(0, volume.depth - 2, min(_PAIRS, volume.depth - 1)).round().astype(int))
    factor = -(-max(region.width, region.height) // _SIDE)
    lengths = []
    pictures: dict[int, np.ndarray] = {}
    for first in pairs.tolist():
        # the second of a pair is often the first of the next
        kept = {slice_: pictures[slice_] for slice_ in pictures if slice_ == first}
        pictures = kept | {i: _coarse(volume, i, region, factor) for i in (first, first + 1) if i not in kept}
        shift = _shift(pictures[first], pictures[first + 1])
        if shift is not None:
            lengths.append(float(np.hypot(*shift)) * factor)
    return SliceShifts(
        pairs=len(pairs),
        unlike=len(pairs) - len(lengths),
        median_px=float(np.median(lengths)) if lengths else None,
        largest_px=max(lengths, default=None),
        resolution_px=factor / _STEPS,
    )


def _shift(one: np.ndarray, other: np.ndarray) -> np.ndarray | None:
    """Rows and columns that align the second picture with the first; None where they have nothing in common."""
    spectra = [fft.fft2(_prepared(picture)) for picture in (one, other)]
    correlation = fft.ifft2(spectra[0] * spectra[1].conj()).real
    if not correlation.max() - correlation.mean() > _LEAST_PEAK * correlation.std():
        return None
    # not normalised: at the finest frequencies there is little but noise
    shift, _, _ = phase_cross_correlation(*spectra, space="fourier", upsample_factor=_STEPS, normalization=None)
    return shift


def _prepared(picture: np.ndarray) -> np.ndarray:
    """Without shading, and faded out towards the edges: the Fourier transform treats a picture as periodic."""
    flat = picture - ndimage.uniform_filter(picture, round(_SHADING * max(picture.shape)) | 1)
    return flat * np.outer(*(np.hanning(side + 2)[1:-1] for side in picture.shape))


def _coarse(volume: ScanVolume, slice_: int, region: Roi, factor: int) -> np.ndarray:
    """A slice's means over `factor` x `factor` pixels, float64; the remainder at the ends is left out."""
    x, y, width, height = region
    high, wide = height // factor, width // factor
    rows = max(1, _PIXELS // (width * factor))
    parts = []
    for top in range(0, high, rows):
        count = min(rows, high - top)
        pixels = volume.read(slice_, y + top * factor, x, count * factor, wide * factor)
        parts.append(pixels.reshape(count, factor, wide, factor).mean((1, 3), dtype=np.float64))
    return np.concatenate(parts)
