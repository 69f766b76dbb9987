"""Preferred direction of elongated pores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: in 180 degrees; one is centred on the x axis, so that rows of pores along x are one petal
SECTORS = 18
#: p of Rayleigh's test at or above which pores count as without a preferred direction
NO_DIRECTION = 0.01


@dataclass(frozen=True)
class OrientationRose:
    """Directions of pores' long axes. A direction and its opposite are the same: the data are axial.

    Attributes:
        edges: of the sectors, degrees counter-clockwise from the x axis, -90 to 90, (19,).
        share: of the weight in each sector, (18,); its sum is 1.
        mean_deg: mean direction, degrees, in (-90, 90]; NaN where no direction prevails at all.
        resultant_length: 0 (no preferred direction) to 1 (all parallel).
        count: number of pores.
        p_uniform: of Rayleigh's test: how likely pores without a preferred direction would look at least as aligned.
            Few heavy pores count as few, and a pore that is seen in several slices counts once: n is the effective
            number, (sum w)^2 / sum w^2 over the slices of a slab.
    """

    edges: np.ndarray
    share: np.ndarray
    mean_deg: float
    resultant_length: float
    count: int
    p_uniform: float


def orientation_rose(orientation_deg: np.ndarray, weight: np.ndarray, slab: int = 1) -> OrientationRose:
    """Rose of axial directions, with the resultant of the doubled angles as its anisotropy.

    With weights w_i and angles t_i,

        C = sum_i w_i cos 2 t_i / sum_i w_i,   S = sum_i w_i sin 2 t_i / sum_i w_i,

    the resultant length is sqrt(C^2 + S^2) and the mean direction atan2(S, C) / 2. Rayleigh's p is
    exp(sqrt(1 + 4 n + 4 (n^2 - R^2)) - (1 + 2 n)) with R = n times the resultant length. With weights it is an
    approximation: n is L. Kish's effective number, for which R^2 / n has the same mean under no preference.

    In a stack, a pore i is seen in several slices j, nearly always in the same direction: its sections are one
    observation, and n is (sum_ij w_ij)^2 / sum_i (sum_j w_ij)^2. As (sum_j w_ij)^2 is at most the number of its slices
    times sum_j w_ij^2, this n is no smaller than that of the sections over the slices of a slab, as long as no pore
    spans more slices than a slab. The latter is taken: no direction is claimed because its pores were counted again.

    K. V. Mardia and P. E. Jupp, Directional Statistics (2000), chapters 1 and 2 (doubled angles); J. H. Zar,
    Biostatistical Analysis (2010), chapter 27 (approximation of Rayleigh's p).

    Args:
        orientation_deg: angle of each pore's major axis, counter-clockwise from x, degrees, (pores,).
        weight: of each pore, such as its area, (pores,).
        slab: slices of a stack that may show the same pore; 1 where each pore is given once.

    Raises:
        ValueError: no pore.
    """
    angle, weight = np.asarray(orientation_deg, np.float64), np.asarray(weight, np.float64)
    if not len(angle):
        raise ValueError("there is no pore to measure")
    width = 180 / SECTORS
    edges = np.arange(SECTORS + 1) * width - 90
    # shifted by half a sector, angles near 90 degrees fall into the sector that is centred on both -90 and 90
    index = np.floor((angle + 90 + width / 2) / width).astype(int) % SECTORS
    share = np.bincount(index, weights=weight, minlength=SECTORS) / weight.sum()
    mean = np.average(np.exp(2j * np.deg2rad(angle)), weights=weight)
    length = float(min(1.0, abs(mean)))
    direction = float(np.rad2deg(np.angle(mean)) / 2) if length > 1e-9 else float("nan")
    p_uniform = _rayleigh(weight.sum() ** 2 / (weight**2).sum() / slab, length)
    return OrientationRose(
        edges - width / 2, share, 90.0 if direction <= -90 else direction, length, len(angle), p_uniform
    )


def _rayleigh(number: float, length: float) -> float:
    resultant = number * length
    exponent = np.sqrt(1 + 4 * number + 4 * max(0.0, number**2 - resultant**2)) - (1 + 2 * number)
    return float(min(1.0, np.exp(exponent)))
