"""Two-point correlation of pores, counted exactly, part by part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TwoPoint:
    """Two-point probability S2 along one axis.

    S2(r) is the share of pairs of rock pixels at distance r whose two ends are pore: S2(0) is the porosity phi, and
    at distances where the places of pores are independent, S2 is phi^2.

    S. Torquato, Random Heterogeneous Materials (2002), chapter 2.

    Attributes:
        lags: distances r, px, ascending from 0.
        hits: pairs whose both ends are pore.
        pairs: pairs whose both ends are rock (rock includes its pores).
    """

    lags: np.ndarray
    hits: np.ndarray
    pairs: np.ndarray

    @property
    def s2(self) -> np.ndarray:
        """S2 at each lag; NaN where there is no pair."""
        return np.divide(self.hits, self.pairs, out=np.full(len(self.lags), np.nan), where=self.pairs > 0)

    @property
    def autocovariance(self) -> np.ndarray:
        """(S2 - phi^2) / (phi - phi^2): 1 at lag 0, 0 where places are independent."""
        s2 = self.s2
        spread = s2[0] - s2[0] ** 2
        return (s2 - s2[0] ** 2) / spread if spread > 0 else np.full(len(s2), np.nan)

    @property
    def correlation_length(self) -> float:
        """Distance (px) at which the autocovariance has first fallen to 1/e; NaN where it does not."""
        values = self.autocovariance
        below = np.flatnonzero(values <= np.exp(-1))
        if not len(below):
            return float("nan")
        at = below[0]
        return float(np.interp(np.exp(-1), values[[at, at - 1]], self.lags[[at, at - 1]]))


def lags_up_to(longest: int) -> np.ndarray:
    """Distances (px) at which S2 is counted: each up to 32, then about 17 in each factor of two."""
    near = np.arange(min(longest, 32) + 1)
    if longest <= 32:
        return near
    far = np.rint(np.geomspace(32, longest, 2 + int(17 * np.log2(longest / 32)))).astype(int)
    return np.unique(np.concatenate([near, far]))


class TwoPointCounter:
    """Adds up the pairs of parts of a mask.

    Every pair belongs to the part that holds its first pixel (the left, or upper, one), so that parts that cover a
    mask once count each pair once.

    Args:
        lags: px, ascending from 0.
        axis: 0 for pairs along y, 1 along x.
    """

    def __init__(self, lags: np.ndarray, axis: int) -> None:
        self._lags, self._axis = lags, axis
        self._hits = np.zeros(len(lags), np.int64)
        self._pairs = np.zeros(len(lags), np.int64)

    def add(self, pore: np.ndarray, rock: np.ndarray | None, length: int) -> None:
        """Count the pairs whose first pixel is in the part.

        Args:
            pore: (H, W), boolean: the part, and what follows it along the axis as far as the longest lag, or to the
                border of the mask.
            rock: where there is rock, (H, W), boolean; None: everywhere.
            length: of the part itself along the axis, px.
        """
        if self._axis == 1:
            pore, rock = pore.T, None if rock is None else rock.T
        total, across = pore.shape
        pores, rocks = _packed(pore if rock is None else pore & rock), None if rock is None else _packed(rock)
        for place, lag in enumerate(self._lags):
            count = min(length, total - lag)
            if count <= 0:
                break
            first, second = slice(0, count), slice(lag, lag + count)
            self._hits[place] += _ones(pores[first] & pores[second])
            self._pairs[place] += count * across if rocks is None else _ones(rocks[first] & rocks[second])

    def result(self) -> TwoPoint:
        """What was counted so far."""
        return TwoPoint(self._lags.copy(), self._hits.copy(), self._pairs.copy())


def _packed(pixels: np.ndarray) -> np.ndarray:
    """Truth values (H, W) as bits, 64 in a word: (H, words). A word is counted as fast as one truth value."""
    packed = np.packbits(np.ascontiguousarray(pixels), axis=1)
    words = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), np.uint8)
    words[:, : packed.shape[1]] = packed
    return words.view(np.uint64)


def _ones(words: np.ndarray) -> int:
    return int(np.bitwise_count(words).sum(dtype=np.int64))
