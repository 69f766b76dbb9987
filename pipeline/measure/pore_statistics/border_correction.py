"""What the border of a field hides: large pores are cut more often than small ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def border_weights(sides: Sequence[np.ndarray], field: Sequence[int]) -> np.ndarray:
    """How many pores each whole pore stands for, as the border cuts others of its size (Miles-Lantuéjoul).

    Of all places that a pore whose box is w x h can have with its first pixel in a field of W x H, it touches no side
    in (W - w - 1) (H - h - 1). So each whole pore counts W H over this number, and sums over whole pores are right on
    average for all pores of the rock that can lie whole in such a field. Of larger ones nothing is seen. In space, a
    third side comes in likewise.

    R. E. Miles, On the elimination of edge effects in planar sampling, in: Stochastic Geometry (1974) 228-247; C.
    Lantuéjoul, On the estimation of mean values in individual analysis of particles, Microscopica Acta S4 (1980)
    266-273.

    Args:
        sides: of each whole pore's box, along two axes or three, (pores,) each; px, or slices.
        field: of the field, along the same axes.

    Returns:
        (pores,), at least 1.
    """
    places = [whole - np.asarray(side, np.float64) - 1 for side, whole in zip(sides, field, strict=True)]
    weights: np.ndarray = np.prod([float(whole) for whole in field]) / np.prod(np.maximum(places, 1), axis=0)
    return weights
