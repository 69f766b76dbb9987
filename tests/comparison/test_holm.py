from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from pipeline.comparison.differences import holm


def test_it_is_the_closure_of_bonferronis_test():
    random = np.random.default_rng(0)
    for count in range(1, 6):
        p_values = random.random(count) ** 3
        # a hypothesis falls where every set of hypotheses that it is in falls by Bonferroni
        expected = [
            max(
                min(1, size * min(p_values[list(some)]))
                for size in range(1, count + 1)
                for some in combinations(range(count), size)
                if place in some
            )
            for place in range(count)
        ]
        assert holm(p_values) == pytest.approx(expected)


def test_what_is_unknown_does_not_count():
    assert holm([0.01, float("nan"), 0.04]) == pytest.approx([0.02, float("nan"), 0.04], nan_ok=True)
    assert holm([]) == []
