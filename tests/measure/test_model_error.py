from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.measure.model_error import LEAST, ModelError


def image(source: str, found: float, true: float, pixels: int = 100) -> dict[str, object]:
    return {"source": source, "found": found, "true": true, "pixels": pixels}


def test_sources_count_once_with_their_pixels_together() -> None:
    images = [image("a", 0.1, 0.1, 300), image("a", 0.2, 0.24, 100), *[image("b", 0.1, 0.09)] * 5]
    error = ModelError.of(images)
    assert error is not None
    a, b = (0.3 * 100 + 24 - 50) / 50, -0.1
    assert error.relative == pytest.approx(math.sqrt((a**2 + b**2) / 2))
    assert (error.sources, error.images) == (2, 7)
    assert error.absolute == pytest.approx((0 + 0.04 + 5 * 0.01) / 7)


def test_one_source_says_nothing_of_others() -> None:
    assert ModelError.of([image("a", 0.1, 0.2), image("a", 0.2, 0.2)]) is None
    assert ModelError.of([]) is None


def test_the_parts_add_as_squares_within_0_and_1() -> None:
    error = ModelError(0.1, 4, 0.01, 4)
    half = 2.776445 * 0.1 * 0.2  # Student's t for 4 degrees of freedom
    low, high = error.interval(0.2, 0.19, 0.22)
    assert low == pytest.approx(0.2 - math.hypot(0.01, half))
    assert high == pytest.approx(0.2 + math.hypot(0.02, half))
    assert error.interval(0.2, math.nan, math.nan) == pytest.approx((0.2 - half, 0.2 + half))
    assert ModelError(2.0, 4, 0.1, 4).interval(0.5, 0.5, 0.5) == (0, 1)
    assert error.interval(0.0, 0.0, 0.0) == pytest.approx((0, 2.776445 * 0.1 * LEAST))


@pytest.mark.parametrize(("sources", "spread", "fields"), [(3, 0.1, 40), (5, 0.2, 40), (8, 0.02, 40)])
def test_it_covers_the_truth_in_simulated_studies(sources: int, spread: float, fields: int) -> None:
    """A model whose relative error is normal from micrograph to micrograph, validated on a few, asked about another.

    The rock's porosity is 0.1 on average, and its fields vary by a third of it.
    """
    random, held, studies = np.random.default_rng(0), 0, 1500
    for _ in range(studies):
        known = [image(str(s), 0.1, 0.1 * (1 + spread * random.normal())) for s in range(sources)]
        error = ModelError.of(known)
        assert error is not None
        pore = np.clip(random.normal(0.1, 0.033, fields), 0, 1) / (1 + spread * random.normal())
        reach = 1.96 * pore.std() / math.sqrt(fields)
        low, high = error.interval(pore.mean(), pore.mean() - reach, pore.mean() + reach)
        held += low <= 0.1 <= high
    assert 0.93 <= held / studies <= 0.99
