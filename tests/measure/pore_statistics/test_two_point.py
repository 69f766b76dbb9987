from __future__ import annotations

import numpy as np
import pytest

from pipeline.measure.pore_statistics.two_point import TwoPoint, TwoPointCounter, lags_up_to


def count(pore: np.ndarray, axis: int, longest: int, rock: np.ndarray | None = None) -> TwoPoint:
    counter = TwoPointCounter(np.arange(longest + 1), axis)
    counter.add(pore, rock, pore.shape[axis])
    return counter.result()


def test_every_pair_is_counted_once_however_the_mask_is_cut() -> None:
    random = np.random.default_rng(0)
    pore, rock = random.random((23, 41)) < 0.4, random.random((23, 41)) < 0.8
    for axis in (0, 1):
        counter = TwoPointCounter(np.arange(8), axis)
        for start in range(0, pore.shape[axis], 10):
            part = [slice(None), slice(None)]
            part[axis] = slice(start, start + 10 + 7)
            counter.add(pore[tuple(part)], rock[tuple(part)], min(10, pore.shape[axis] - start))
        found, lines = counter.result(), (pore & rock, rock)
        for lag in range(8):
            hits, pairs = 0, 0
            for y in range(23 - lag * (axis == 0)):
                for x in range(41 - lag * (axis == 1)):
                    to = (y + lag, x) if axis == 0 else (y, x + lag)
                    hits += lines[0][y, x] and lines[0][to]
                    pairs += lines[1][y, x] and lines[1][to]
            assert (found.hits[lag], found.pairs[lag]) == (hits, pairs)


def test_s2_of_independent_pixels() -> None:
    """S2(r) = phi^2 for every r > 0."""
    pore = np.random.default_rng(1).random((800, 800)) < 0.3
    found = count(pore, 1, 20)
    assert found.s2[0] == pytest.approx(0.3, abs=0.003)
    np.testing.assert_allclose(found.s2[1:], 0.09, atol=0.003)
    assert found.correlation_length < 1


def test_s2_of_overlapping_discs() -> None:
    """A Boolean model of discs: outside of them, S2(r) = exp(-n v2(r)), v2 the area of two discs r apart."""
    side, radius, number = 1500, 12.0, 900
    random = np.random.default_rng(2)
    outside = np.ones((side, side), bool)
    y, x = np.ogrid[:side, :side]
    reach = int(2 * radius)
    for _ in range(random.poisson(number * ((side + 2 * reach) / side) ** 2)):
        cy, cx = random.uniform(-reach, side + reach, 2)
        rows = slice(max(0, int(cy) - reach), max(0, int(cy) + reach))
        columns = slice(max(0, int(cx) - reach), max(0, int(cx) + reach))
        outside[rows, columns] &= (y[rows] - cy) ** 2 + (x[:, columns] - cx) ** 2 > radius**2
    density = number / side**2
    distance = np.arange(41, dtype=float)
    inner = np.minimum(distance / (2 * radius), 1)
    overlap = 2 * radius**2 * np.arccos(inner) - distance / 2 * np.sqrt(np.maximum(0, 4 * radius**2 - distance**2))
    expected = np.exp(-density * (2 * np.pi * radius**2 - overlap))
    for axis in (0, 1):
        np.testing.assert_allclose(count(outside, axis, 40).s2, expected, atol=0.02)


def test_correlation_length_of_an_exponential() -> None:
    lags = np.arange(100)
    pairs = np.full(100, 10**12)
    s2 = 0.04 + (0.2 - 0.04) * np.exp(-lags / 17.5)
    found = TwoPoint(lags, (s2 * pairs).astype(np.int64), pairs)
    assert found.correlation_length == pytest.approx(17.5, rel=0.01)


@pytest.mark.parametrize("longest", [0, 1, 31, 32, 33, 100, 1024])
def test_lags_ascend_to_the_longest(longest: int) -> None:
    lags = lags_up_to(longest)
    assert lags[0] == 0
    assert lags[-1] == longest
    assert (np.diff(lags) > 0).all()
    assert len(lags) <= 33 + 100


def test_nothing_but_pore_or_nothing_at_all_has_no_correlation() -> None:
    for pore in (np.ones((9, 9), bool), np.zeros((9, 9), bool)):
        assert np.isnan(count(pore, 0, 4).correlation_length)
