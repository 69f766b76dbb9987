"""Masks and outlines drawn over the image that they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion, map_coordinates

from pipeline.visual.drawing import (
    BLUE,
    ERROR_LEGEND,
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    PORE,
    RGB,
    TRUE_POSITIVE,
    YELLOW,
    add_legend,
)

#: Share of the pixels that may saturate at either end of the grey scale, in percent.
_SATURATED = 0.5
#: how far white is drawn towards white from the colour of its phase
_PALEST = 0.6
#: Opacity of correct and of wrong pixels: the picture is there to show the errors.
_CORRECT = 0.65
_ERROR = 1.0


def to_grey8(image: np.ndarray) -> np.ndarray:
    """Stretch an image to 8 bit between its 0.5 and 99.5 percentiles, so that single hot pixels do not darken it.

    Args:
        image: (H, W), any real type; values that are not finite become black.

    Returns:
        (H, W), uint8. A constant image becomes middle grey.

    Raises:
        ValueError: not two-dimensional.
    """
    if image.ndim != 2:
        raise ValueError(f"a grey image is (H, W), not {image.shape}")
    values = image.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(image.shape, np.uint8)
    shown = values if finite.all() else values[finite]
    low, high = np.percentile(shown, (_SATURATED, 100 - _SATURATED))
    if high <= low:  # nearly all pixels are equal: the few others decide
        low, high = shown.min(), shown.max()
    if high <= low:
        return np.where(finite, 128, 0).astype(np.uint8)
    if shown is not values:
        values[~finite] = low
    values -= low
    values /= high - low
    np.clip(values, 0, 1, out=values)
    values *= 255
    return np.rint(values, out=values).astype(np.uint8)


def mask_overlay(image: np.ndarray, mask: np.ndarray, colour: RGB = PORE) -> np.ndarray:
    """The image in grey with the pores, or another phase, in colour; as `phase_overlay` of the one phase.

    Args:
        image: (H, W), any real type.
        mask: (H, W), nonzero in the phase.
        colour: of the phase.

    Returns:
        (H, W, 3), uint8.

    Raises:
        ValueError: sizes that do not agree.
    """
    return phase_overlay(image, _as_mask(mask, image.shape).view(np.uint8), [colour])


def phase_overlay(image: np.ndarray, codes: np.ndarray, colours: Sequence[RGB]) -> np.ndarray:
    """The image in grey with each phase in its colour, paler where the image is brighter.

    A translucent colour over black would be a dark brown or green that is hardly told from grey: here black becomes the
    colour itself. The outermost pixels of a phase are drawn in full colour: a pore of one or two pixels' width is seen
    as a bright line, and a wide one keeps its grey levels within a crisp contour.

    Args:
        image: (H, W), any real type.
        codes: (H, W), uint8: the number of the phase from 1, 0 for none.
        colours: of each phase.

    Returns:
        (H, W, 3), uint8.

    Raises:
        ValueError: sizes that do not agree.
    """
    _as_mask(codes, image.shape)
    rgb = _as_rgb(image)
    for number, colour in enumerate(colours, start=1):
        there = codes == number
        _tint(rgb, there, colour)
        _blend(rgb, inner_edge(there), colour, 1.0)
    return rgb


def inner_edge(there: np.ndarray) -> np.ndarray:
    """Pixels of a mask (H, W), truth values, of which one of the four neighbours is not in it; outside is no neighbour.

    What skimage's `find_boundaries` gives with `mode="inner"`, in less than half the time.
    """
    edge: np.ndarray = there & ~binary_erosion(there, border_value=1)
    return edge


def _tint(rgb: np.ndarray, where: np.ndarray, colour: RGB) -> None:
    """Turn grey levels into shades from a colour, for black, to a pale one, for white, in place."""
    for channel, value in enumerate(colour):
        shades = np.rint(value + (255 - value) * _PALEST * np.arange(256) / 255).astype(np.uint8)
        np.copyto(rgb[..., channel], shades[rgb[..., channel]], where=where)


def error_overlay(image: np.ndarray, predicted: np.ndarray, truth: np.ndarray, *, legend: bool = True) -> np.ndarray:
    """The image in grey with true positive, false positive and false negative pixels in three colours.

    Args:
        image: (H, W), any real type.
        predicted: (H, W), nonzero where pore is predicted.
        truth: (H, W), nonzero where there is pore.
        legend: write what the colours mean below the picture, which makes it higher.

    Returns:
        (H, W, 3), uint8; more rows with a legend.

    Raises:
        ValueError: sizes that do not agree.
    """
    predicted, truth = _as_mask(predicted, image.shape), _as_mask(truth, image.shape)
    rgb = _as_rgb(image)
    _blend(rgb, predicted & truth, TRUE_POSITIVE, _CORRECT)
    _blend(rgb, predicted & ~truth, FALSE_POSITIVE, _ERROR)
    _blend(rgb, truth & ~predicted, FALSE_NEGATIVE, _ERROR)
    return add_legend(rgb, ERROR_LEGEND) if legend else rgb


def _as_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if mask.shape != shape:
        raise ValueError(f"the mask is {mask.shape}, but its image {shape}")
    return mask.astype(bool)


def _as_rgb(image: np.ndarray) -> np.ndarray:
    return np.repeat(to_grey8(image)[..., None], 3, axis=2)


def _blend(rgb: np.ndarray, where: np.ndarray, colour: RGB, opacity: float) -> None:
    """Mix the colour into the picture, in place."""
    for channel, value in enumerate(colour):
        # what becomes of each of the 256 values: several times as fast as to mix pixel by pixel
        mixed = np.rint((1 - opacity) * np.arange(256) + opacity * value).astype(np.uint8)
        np.copyto(rgb[..., channel], mixed[rgb[..., channel]], where=where)


_GAP = 8  # pixels between the panels


def label_picture(image: np.ndarray, mask: np.ndarray, corners: np.ndarray | None = None) -> np.ndarray:
    """The image, and to its right the same with the mask's outline and, if given, the outline moved to where it fits.

    Args:
        image: (H, W), any real type.
        mask: (H, W), nonzero where there is pore.
        corners: displacement (dy, dx), pixels, at the upper left, upper right, lower left and lower right, (4, 2).

    Returns:
        (H', W', 3), uint8.

    Raises:
        ValueError: sizes that do not agree.
    """
    pore, grey = _as_mask(mask, image.shape), _as_rgb(image)
    marked = grey.copy()
    marked[inner_edge(pore)] = YELLOW
    legend = [("mask", YELLOW)]
    if corners is not None:
        marked[inner_edge(displaced_mask(pore, corners))] = BLUE
        legend.append(("where it would fit", BLUE))
    gap = np.full((len(grey), _GAP, 3), 255, np.uint8)
    return add_legend(np.hstack([grey, gap, marked]), legend)


def displaced_mask(mask: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Move a mask by a displacement that is linear in the position.

    Args:
        mask: (H, W), truth values.
        corners: as in `label_picture`.

    Returns:
        (H, W), truth values; nothing comes in from outside.
    """
    y, x = np.indices(mask.shape, dtype=np.float32)
    v, u = y / (len(mask) - 1), x / (mask.shape[1] - 1)
    upper_left, upper_right, lower_left, _ = corners
    moves = [upper_left[k] + v * (lower_left[k] - upper_left[k]) + u * (upper_right[k] - upper_left[k]) for k in (0, 1)]
    # a slowly varying displacement is its own inverse with the other sign, within a small part of a pixel
    return map_coordinates(mask.astype(np.uint8), [y - moves[0], x - moves[1]], order=0).astype(bool)
