"""Pore-size distribution, by number and by area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: cumulative shares (%) whose sizes are given
PERCENTILES = (10, 50, 90)
#: bins of sizes in each factor of ten
BINS_PER_DECADE = 10


@dataclass(frozen=True)
class SizeDistribution:
    """How many pores, and how much pore area, there are of each size. Lengths are in the unit of the diameters given.

    Attributes:
        edges: of the bins, ascending, equally wide in the logarithm, (bins + 1,).
        by_number: share of the pores in each bin, (bins,); its sum is 1.
        by_area: share of the pore area in each bin, (bins,); its sum is 1.
        number_percentiles: D10, D50 and D90 by number.
        area_percentiles: D10, D50 and D90 by area.
        count: number of pores.
    """

    edges: np.ndarray
    by_number: np.ndarray
    by_area: np.ndarray
    number_percentiles: tuple[float, float, float]
    area_percentiles: tuple[float, float, float]
    count: int


def size_distribution(diameter: np.ndarray, area: np.ndarray, weight: np.ndarray | None = None) -> SizeDistribution:
    """Distribution of the equivalent diameters of pores.

    Dx is the smallest diameter for which the pores up to it hold at least x % of the number, or of the area, as in
    ISO 9276-1 (cumulative distribution Q_0 by number; Q_2 by area).

    Args:
        diameter: equivalent diameter of each pore, (pores,), positive.
        area: of each pore, (pores,).
        weight: how many pores each stands for (`border_weights`), (pores,); None: itself.

    Raises:
        ValueError: no pore.
    """
    diameter, area = np.asarray(diameter, np.float64), np.asarray(area, np.float64)
    if not len(diameter):
        raise ValueError("there is no pore to measure")
    each = np.ones_like(diameter) if weight is None else np.asarray(weight, np.float64)
    low = np.floor(np.log10(diameter.min()) * BINS_PER_DECADE)
    high = np.floor(np.log10(diameter.max()) * BINS_PER_DECADE) + 1
    edges = 10 ** (np.arange(low, high + 1) / BINS_PER_DECADE)
    edges[0], edges[-1] = min(edges[0], diameter.min()), max(edges[-1], diameter.max())  # rounding of powers
    number, _ = np.histogram(diameter, edges, weights=each)
    by_area, _ = np.histogram(diameter, edges, weights=each * area)
    return SizeDistribution(
        edges,
        number / number.sum(),
        by_area / by_area.sum(),
        _percentiles(diameter, each),
        _percentiles(diameter, each * area),
        len(diameter),
    )


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """The smallest value up to which the values hold at least this share of the weight."""
    return weighted_quantiles(values, weights, (share,))[0]


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, shares: Sequence[float]) -> tuple[float, ...]:
    """For each share, the smallest value up to which the values hold at least this share of the weight."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(np.asarray(weights, np.float64)[order])
    # a share that is met exactly must not be missed by the rounding of the sum
    places = np.searchsorted(cumulative, np.asarray(shares) * cumulative[-1] * (1 - 1e-12))
    return tuple(float(value) for value in np.asarray(values)[order][np.minimum(places, len(order) - 1)])


def _percentiles(values: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    low, middle, high = weighted_quantiles(values, weights, [percent / 100 for percent in PERCENTILES])
    return low, middle, high
