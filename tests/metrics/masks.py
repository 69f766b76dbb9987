"""Masks that the tests of several metrics share."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter


def blobs(seed: int, shape: tuple[int, int] = (60, 75)) -> np.ndarray:
    """Some twenty pores of many sizes, some at the border, some of a pixel."""
    random = np.random.default_rng(seed)
    noise = gaussian_filter(random.standard_normal(shape), (1.5, 3))
    return (noise > np.quantile(noise, 0.85)) | (random.random(shape) < 0.003)


def disturbed(mask: np.ndarray, seed: int) -> np.ndarray:
    """The mask moved by a pixel, with every tenth pixel wrong."""
    return np.roll(mask, 1, axis=1) ^ (np.random.default_rng(seed).random(mask.shape) < 0.1)


def single(shape: tuple[int, int] = (20, 30), at: tuple[int, int] = (8, 11)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[at] = True
    return mask


EMPTY, FULL, PIXEL = np.zeros((20, 30), bool), np.ones((20, 30), bool), single()
