"""Convex hulls of many pores at once, in whole numbers, and the Feret diameters between their tangents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

#: Most chains are convex after some rounds; what remains is done one by one.
_ROUNDS = 24


class Chains(NamedTuple):
    """Points of many chains, sorted by chain and row; no row twice in a chain.

    Attributes:
        chain: number of the chain: 2 i for the right side of pore i, 2 i + 1 for its left side.
        row: px.
        reach: column of the farthest pixel's centre, on the left side negative (px).
    """

    chain: np.ndarray
    row: np.ndarray
    reach: np.ndarray

    def take(self, keep: np.ndarray) -> Chains:
        """The points that `keep` (boolean, or indices) picks."""
        return Chains(self.chain[keep], self.row[keep], self.reach[keep])

    def of_pores(self, keep: np.ndarray) -> Chains:
        """The chains of the pores that `keep` (boolean, for each pore) picks, renumbered."""
        points = self.take(keep[self.chain >> 1])
        number = np.cumsum(keep) - 1
        return points._replace(chain=2 * number[points.chain >> 1] + (points.chain & 1))


def joined(parts: list[Chains]) -> Chains:
    """Chains of the same numbers put together; of points in the same row the farthest is kept."""
    chain, row, reach = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((reach, row, chain))
    chain, row, reach = chain[order], row[order], reach[order]
    last = np.ones(len(chain), bool)
    last[:-1] = (chain[1:] != chain[:-1]) | (row[1:] != row[:-1])
    return Chains(chain[last], row[last], reach[last])


def hulls(chains: Chains) -> Chains:
    """The vertices of the convex hull of each chain, its first and last row among them; exact.

    A point that does not lie beyond the line between its two neighbours is no vertex, whatever becomes of these: all
    such points go at once, until there are none.
    """
    done: list[Chains] = []
    for _ in range(_ROUNDS):
        inner = _is_not_beyond(chains)
        if not inner.any():
            break
        # chains that have lost nothing are ready
        number = np.cumsum(_is_first(chains.chain)) - 1
        busy = (np.bincount(number, inner) > 0)[number]
        done.append(chains.take(~busy))
        chains = chains.take(busy & ~inner)
    else:
        chains = _one_by_one(chains)
    parts = [*done, chains]
    chain, row, reach = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(chain, kind="stable")
    return Chains(chain[order], row[order], reach[order])


def _is_first(chain: np.ndarray) -> np.ndarray:
    first = np.ones(len(chain), bool)
    first[1:] = chain[1:] != chain[:-1]
    return first


def _is_not_beyond(chains: Chains) -> np.ndarray:
    chain, row, reach = chains
    inner = np.zeros(len(chain), bool)
    if len(chain) > 2:
        rise, run = np.diff(reach), np.diff(row)
        inner[1:-1] = (chain[2:] == chain[:-2]) & (rise[:-1] * run[1:] <= rise[1:] * run[:-1])
    return inner


def _one_by_one(chains: Chains) -> Chains:
    """A. M. Andrew, Another efficient algorithm for convex hulls in two dimensions (1979)."""
    chain, rows, reaches = (column.tolist() for column in chains)
    kept: list[int] = []
    first = 0
    for i in range(len(chain)):
        if i and chain[i] != chain[i - 1]:
            first = len(kept)
        while len(kept) - first >= 2:
            a, b = kept[-2], kept[-1]
            rise, run = reaches[b] - reaches[a], rows[b] - rows[a]
            if rise * (rows[i] - rows[b]) > (reaches[i] - reaches[b]) * run:
                break
            kept.pop()
        kept.append(i)
    return chains.take(np.array(kept, np.int64))


def hull_pixels(vertices: Chains) -> Chains:
    """Every row of the hull as pixels: the farthest pixel whose centre lies in it, on either side.

    As `skimage.morphology.convex_hull_image`: the hull is that of the midpoints of the pixels' edges, that is the hull
    of their centres widened by a diamond of half a pixel, its boundary included. Above an integer row r the boundary R
    of the hull of the centres is straight to r + 1 and to r - 1; so the widened one reaches

        max(R(r) + 1/2, R(r + 1/2), R(r - 1/2)),

    and what counts is its integer part.
    """
    chain, row, reach = vertices
    first = np.flatnonzero(_is_first(chain))
    last = np.append(first[1:], len(chain))[: len(first)] - 1
    heights = row[last] - row[first] + 1
    number = np.repeat(np.arange(len(first)), heights)
    ends = np.cumsum(heights)
    rows = np.arange(len(number)) - np.repeat(ends - heights - row[first], heights)
    # each row but the last of its chain lies on an edge, some steps from the vertex above
    edge = np.flatnonzero(chain[1:] == chain[:-1])
    run, rise = row[edge + 1] - row[edge], reach[edge + 1] - reach[edge]
    step = np.arange(run.sum()) - np.repeat(np.cumsum(run) - run, run)
    start, run, rise = (np.repeat(column, run) for column in (reach[edge], run, rise))
    pixels = np.empty(len(rows), np.int64)
    pixels[ends - 1] = reach[last]
    on_edge = np.ones(len(rows), bool)
    on_edge[ends - 1] = False
    above = np.flatnonzero(on_edge)
    pixels[above] = start + (2 * rise * step + run) // (2 * run)
    halfway = start + rise * (2 * step + 1) // (2 * run)
    pixels[above] = np.maximum(pixels[above], halfway)
    pixels[above + 1] = np.maximum(pixels[above + 1], halfway)
    return Chains(chain[first][number], rows, pixels)


#: pairs of vertices that are compared at once
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
