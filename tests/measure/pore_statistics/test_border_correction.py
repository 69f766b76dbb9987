"""Sizes that a field's border would make too small, against discs whose sizes are known."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.measure.pore_statistics import border_weights, size_distribution


def test_a_pore_counts_for_those_of_its_size_that_are_cut() -> None:
    # all places of a box of 2 x 3 in a field of 5 x 7 that leave a pixel free on each side
    places = sum(1 for top in range(1, 5 - 2) for left in range(1, 7 - 3))
    assert border_weights([np.array([2]), np.array([3])], (5, 7)).tolist() == pytest.approx([35 / places])
    in_space = border_weights([np.array([2]), np.array([3]), np.array([1])], (5, 7, 4))
    assert in_space.tolist() == pytest.approx([5 * 7 * 4 / (places * 2)])


def test_the_mean_of_whole_discs_is_put_right() -> None:
    random, side = np.random.default_rng(0), 100
    sizes = random.choice([5, 45], 60_000, p=[0.8, 0.2])
    # their first pixels fall anywhere in and around the field
    left, top = (random.integers(-60, side + 60, len(sizes)) for _ in range(2))
    whole = (left > 0) & (top > 0) & (left + sizes < side) & (top + sizes < side)
    seen = sizes[whole]
    weights = border_weights([seen, seen], (side, side))
    assert abs(seen.mean() - sizes.mean()) > 3
    assert np.average(seen, weights=weights) == pytest.approx(sizes.mean(), rel=0.02)
    corrected = size_distribution(seen, seen**2, weights)
    by_area = 0.2 * 45**2 / (0.8 * 5**2 + 0.2 * 45**2)
    assert corrected.by_area[-1] == pytest.approx(by_area, rel=0.01)
    assert corrected.by_number[-1] == pytest.approx(0.2, rel=0.05)
