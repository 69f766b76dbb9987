"""Feret diameters: the largest and the smallest distance of two parallel lines that hold a pore between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pipeline.pores.outline import Chains

#: pairs of vertices that are looked at together
_PAIRS = 1 << 20


class Feret(NamedTuple):
    """Of each pore, px."""

    largest: np.ndarray
    smallest: np.ndarray


def feret(vertices: Chains, pores: int) -> Feret:
    """Both diameters of the convex hulls.

    What is measured is the convex hull of the midpoints of the pixels' edges, of all pixels of the hull: the contour at
    1/2 between pixel and background, as in `skimage.measure.regionprops` (`feret_diameter_max`). It is the hull of
    the pixels' centres, widened by a diamond with vertices 1/2 from its centre. Two such diamonds differ by (1, 0) or
    (0, 1) at most, so that two vertices (r, c), with their diamonds, are

        sqrt(dr² + dc² + 2 max(|dr|, |dc|) + 1)

    apart at most, and the width along a normal (a, b) is that of the centres and max(|a|, |b|) / |(a, b)|. The
    largest diameter is a distance from a vertex on the right to one on the left. The smallest is that across an
    edge of the hull of the centres or of the diamond (M. E. Houle and G. T. Toussaint, Computing the width of a set,
    1988).
    All in whole numbers until the last division and root.

    Args:
        vertices: of the hulls of the pores' hull pixels, both sides of every pore.
        pores: how many.
    """
    chain, row, reach = vertices
    count = np.bincount(chain, minlength=2 * pores)
    begin = np.cumsum(count) - count

    top, bottom = row[begin[0::2]], row[begin[0::2] + count[0::2] - 1]
    sums, differences = (np.maximum.reduceat(value, begin) for value in (reach + row, reach - row))
    across_diamond = np.minimum(sums[0::2] + differences[1::2], differences[0::2] + sums[1::2]) + 1
    smallest = np.minimum(bottom - top + 1, across_diamond * np.sqrt(0.5))

    largest = np.zeros(pores, np.int64)
    right = np.flatnonzero(chain % 2 == 0)
    for near, far, starts in _pairs(right, begin[chain[right] + 1], count[chain[right] + 1]):
        high, wide = np.abs(row[near] - row[far]), np.abs(reach[near] + reach[far])
        square = high * high + wide * wide + 2 * np.maximum(high, wide) + 1
        np.maximum.at(largest, chain[near[starts]] >> 1, np.maximum.reduceat(square, starts))

    edge = np.flatnonzero(chain[1:] == chain[:-1])
    opposite = chain[edge] ^ 1
    for near, far, starts in _pairs(edge, begin[opposite], count[opposite]):
        run, rise = row[near + 1] - row[near], reach[near + 1] - reach[near]
        distance = run * (reach[near] + reach[far]) - rise * (row[near] - row[far])
        run, rise = run[starts], rise[starts]
        width = np.maximum.reduceat(distance, starts) + np.maximum(run, np.abs(rise))
        np.minimum.at(smallest, chain[near[starts]] >> 1, width / np.hypot(run, rise))
    return Feret(np.sqrt(largest), smallest)


def _pairs(
    items: np.ndarray, first: np.ndarray, count: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Each item with each of `count` others from `first` on: both of each pair, and where an item's pairs begin."""
    total = np.cumsum(count)
    begin = 0
    while begin < len(items):
        done = total[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(total, done + _PAIRS, "right")))
        part = slice(begin, end)
        starts = total[part] - count[part] - done
        near = np.repeat(items[part], count[part])
        far = np.arange(len(near)) + np.repeat(first[part] - starts, count[part])
        yield near, far, starts
        begin = end
