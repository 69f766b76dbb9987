"""What the border of a field hides: large pores are cut more often than small ones."""

from __future__ import annotations

import numpy as np


def border_weights(width: np.ndarray, height: np.ndarray, field: tuple[int, int]) -> np.ndarray:
    """How many pores each whole pore stands for, as the border cuts others of its size (Miles-Lantuéjoul).

    Of all places that a pore whose box is w x h can have with its first pixel in a field of W x H, it touches no side
    in (W - w - 1) (H - h - 1). So each whole pore counts W H over this number, and sums over whole pores are right on
    average for all pores of the rock that can lie whole in such a field. Of larger ones nothing is seen.

    R. E. Miles, On the elimination of edge effects in planar sampling, in: Stochastic Geometry (1974) 228-247; C.
    Lantuéjoul, On the estimation of mean values in individual analysis of particles, Microscopica Acta S4 (1980)
    266-273.

    Args:
        width: columns of each whole pore's box, (pores,), px.
        height: rows, likewise.
        field: height and width of the field, px.

    Returns:
        (pores,), at least 1.
    """
    high, wide = field
    places = (wide - np.asarray(width, np.float64) - 1) * (high - np.asarray(height, np.float64) - 1)
    weights: np.ndarray = high * wide / np.maximum(places, 1)
    return weights
