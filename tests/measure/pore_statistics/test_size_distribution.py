from __future__ import annotations

import numpy as np
import pytest

from pipeline.measure.pore_statistics.size_distribution import size_distribution, weighted_quantile, weighted_quantiles


def test_percentiles_of_a_log_normal() -> None:
    random = np.random.default_rng(0)
    diameter = np.exp(random.normal(np.log(5), 0.6, 200_000))
    found = size_distribution(diameter, np.pi * diameter**2 / 4)
    spread = np.exp(1.2816 * 0.6)
    assert found.number_percentiles == pytest.approx((5 / spread, 5, 5 * spread), rel=0.01)
    # Hatch and Choate: weighted by the k-th power, a log-normal's median is exp(mu + k sigma^2)
    middle = 5 * np.exp(2 * 0.6**2)
    assert found.area_percentiles == pytest.approx((middle / spread, middle, middle * spread), rel=0.03)


def test_shares_of_bins() -> None:
    """The bins of a factor of ten are ten, equally wide in the logarithm."""
    found = size_distribution(np.array([1.05, 1.05, 1.3, 1.9]), np.array([1.0, 1.0, 2.0, 4.0]))
    np.testing.assert_allclose(found.edges, 10 ** np.array([0, 0.1, 0.2, 0.3]))
    np.testing.assert_allclose(found.by_number, [0.5, 0.25, 0.25])
    np.testing.assert_allclose(found.by_area, [0.25, 0.25, 0.5])
    assert found.count == 4


@pytest.mark.parametrize("diameter", [1.0, 10.0, 0.1, 1000.0, 3.7])
def test_pores_of_one_size_are_all_in_the_bins(diameter: float) -> None:
    found = size_distribution(np.full(7, diameter), np.ones(7))
    assert found.by_number.sum() == pytest.approx(1)
    assert found.number_percentiles == (diameter,) * 3
    assert (np.diff(found.edges) > 0).all()


def test_quantile_against_repetition() -> None:
    random = np.random.default_rng(1)
    values, weights = random.normal(size=50), random.integers(0, 9, 50)
    repeated = np.repeat(values, weights)
    for share in (0.01, 0.1, 0.5, 0.9, 1.0):
        expected = np.quantile(repeated, share, method="inverted_cdf")
        assert weighted_quantile(values, weights, share) == expected
    shares = (0.9, 0.1, 0.5)
    assert weighted_quantiles(values, weights, shares) == tuple(weighted_quantile(values, weights, s) for s in shares)


@pytest.mark.parametrize("weight", [0.1, 0.3, 0.7, 1.1])
@pytest.mark.parametrize("count", [10, 20, 50, 100])
def test_a_share_that_is_met_exactly_is_met_whatever_the_unit_of_the_weights(count: int, weight: float) -> None:
    for percent in (10, 50, 90):
        found = weighted_quantile(np.arange(1, count + 1), np.full(count, weight), percent / 100)
        assert found == count * percent / 100


def test_no_pore_is_refused() -> None:
    with pytest.raises(ValueError, match="no pore"):
        size_distribution(np.array([]), np.array([]))
