from __future__ import annotations

import numpy as np
import pytest
from scipy.special import i0e, i1e

from pipeline.measure.pore_statistics.orientation import orientation_rose


def test_resultant_of_a_von_mises_sample() -> None:
    random = np.random.default_rng(0)
    angle = np.rad2deg(random.vonmises(np.deg2rad(2 * 30), 2.0, 100_000)) / 2
    found = orientation_rose(angle, np.ones_like(angle))
    assert found.resultant_length == pytest.approx(i1e(2.0) / i0e(2.0), abs=0.01)
    assert found.mean_deg == pytest.approx(30, abs=0.5)
    assert found.p_uniform < 1e-9


def test_a_direction_and_its_opposite_are_the_same() -> None:
    angle = np.array([88.0, 90.0, -89.0, -87.0])
    found, turned = (orientation_rose(a, np.ones(4)) for a in (angle, angle + 180))
    assert found.resultant_length == pytest.approx(turned.resultant_length)
    assert found.share.max() == pytest.approx(1)  # one petal, centred on 90 degrees
    assert abs(found.mean_deg) == pytest.approx(90, abs=1.1)


def test_weights_count() -> None:
    found = orientation_rose(np.array([0.0, 90.0]), np.array([3.0, 1.0]))
    assert found.resultant_length == pytest.approx(0.5)
    assert found.mean_deg == pytest.approx(0)
    middle = (found.edges[:-1] + found.edges[1:]) / 2
    assert found.share[np.abs(middle) < 1] == pytest.approx(0.75)
    assert found.share[np.abs(middle + 90) < 1] == pytest.approx(0.25)


def test_rayleighs_p_is_uniform_without_a_direction() -> None:
    random = np.random.default_rng(2)
    p = np.array([orientation_rose(random.uniform(-90, 90, 40), np.ones(40)).p_uniform for _ in range(2000)])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.015)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.04)


def test_a_few_large_pores_are_no_direction() -> None:
    """Under no preference, the p of skewed weights must be small no more often than it says."""
    random = np.random.default_rng(3)
    p = np.array(
        [orientation_rose(random.uniform(-90, 90, 200), random.lognormal(0, 2, 200)).p_uniform for _ in range(2000)]
    )
    assert np.mean(p < 0.01) < 0.02
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.09)


def test_copies_of_a_slice_are_no_further_pores() -> None:
    """What one slice shows is not surer for being shown 14 times."""
    angle, area = np.linspace(-60, 60, 20), np.full(20, 30.0)  # resultant length 0.41
    one = orientation_rose(angle, area)
    stack = orientation_rose(np.tile(angle, 14), np.tile(area, 14), slab=14)
    assert one.p_uniform > 0.01 > orientation_rose(np.tile(angle, 14), np.tile(area, 14)).p_uniform
    assert stack.p_uniform == pytest.approx(one.p_uniform)
    assert stack.resultant_length == pytest.approx(one.resultant_length)


def test_sections_of_bodies_without_a_direction_are_no_direction() -> None:
    """Bodies of 1 to 12 slices, whose sections keep their direction: the test must not count every section."""
    random = np.random.default_rng(5)

    def p(slab: int) -> float:
        slices = random.integers(1, 13, 60)
        angle = random.uniform(-90, 90, 60).repeat(slices) + random.normal(0, 5, slices.sum())
        area = random.lognormal(3, 1, 60).repeat(slices)
        return orientation_rose(angle, area, slab).p_uniform

    assert np.mean([p(1) < 0.01 for _ in range(1000)]) > 0.2
    assert np.mean([p(12) < 0.01 for _ in range(1000)]) <= 0.01
    assert np.mean([p(12) < 0.05 for _ in range(1000)]) <= 0.05


def test_opposed_directions_have_no_mean() -> None:
    found = orientation_rose(np.array([0.0, 90.0]), np.ones(2))
    assert found.resultant_length == pytest.approx(0)
    assert np.isnan(found.mean_deg)


def test_no_pore_is_refused() -> None:
    with pytest.raises(ValueError, match="no pore"):
        orientation_rose(np.array([]), np.array([]))
