"""Otsu's threshold: what a scientist would have without a network."""

from __future__ import annotations

import numpy as np
from skimage.filters import threshold_otsu


def otsu_mask(image: np.ndarray) -> np.ndarray:
    """Pores by Otsu's threshold: every pixel at or below it, as pores are dark.

    Args:
        image: grey values (H, W), any scale.

    Returns:
        Boolean mask (H, W); all False for an image of one value, which has no threshold.
    """
    if image.min() == image.max():
        return np.zeros(image.shape, dtype=bool)
    return image <= threshold_otsu(image)
