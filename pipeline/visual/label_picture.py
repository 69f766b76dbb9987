"""A mask's outline on its image, and where it would fit better."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates
from skimage.segmentation import find_boundaries

from pipeline.visual.colours import BLUE, YELLOW
from pipeline.visual.legend import add_legend
from pipeline.visual.overlay import to_grey8

_GAP = 8  # pixels between the panels


def label_picture(image: np.ndarray, mask: np.ndarray, corners: np.ndarray | None = None) -> np.ndarray:
    """The image, and beside it the same with the mask's outline as it is and, if given, as it would fit.

    Args:
        image: (H, W), any real type.
        mask: (H, W), nonzero where there is pore.
        corners: displacement (dy, dx), pixels, at the upper left, upper right, lower left and lower right, (4, 2).

    Returns:
        (H', W', 3), uint8.

    Raises:
        ValueError: sizes that do not agree.
    """
    if mask.shape != image.shape:
        raise ValueError(f"the mask is {mask.shape}, but its image {image.shape}")
    grey = np.repeat(to_grey8(image)[..., None], 3, axis=2)
    marked = grey.copy()
    marked[find_boundaries(mask > 0, mode="inner")] = YELLOW
    legend = [("mask", YELLOW)]
    if corners is not None:
        marked[find_boundaries(displaced_mask(mask > 0, corners), mode="inner")] = BLUE
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
