from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.measure.model_error import ModelError


def image(source: str, found: float, true: float, pixels: int = 100) -> dict[str, object]:
    return {"source": source, "found": found, "true": true, "pixels": pixels}


def test_sources_count_once_with_their_pixels_together() -> None:
    images = [image("a", 0.1, 0.1, 300), image("a", 0.2, 0.24, 100), *[image("b", 0.1, 0.09)] * 5]
    error = ModelError.of(images)
    assert error is not None
    a = np.arcsin(np.sqrt((30 + 24) / 400)) - np.arcsin(np.sqrt((30 + 20) / 400))
    b = np.arcsin(np.sqrt(0.09)) - np.arcsin(np.sqrt(0.1))
    assert error.spread == pytest.approx(math.sqrt((a**2 + b**2) / 2))
    assert (error.sources, error.images) == (2, 7)
    assert error.absolute == pytest.approx((0 + 0.04 + 5 * 0.01) / 7)


def test_one_source_says_nothing_of_others() -> None:
    assert ModelError.of([image("a", 0.1, 0.2), image("a", 0.2, 0.2)]) is None
    assert ModelError.of([]) is None


def test_the_parts_add_as_squares_within_0_and_1() -> None:
    error = ModelError(0.01, 4, 0.01, 4)
    half = 2.776445 * 0.01  # Student's t for 4 degrees of freedom
    low, high = error.interval(0.2, 0.19, 0.22)
    # near p, an angle is dp / (2 sqrt(p (1 - p)))
    slope = 2 * math.sqrt(0.2 * 0.8)
    assert low == pytest.approx(0.2 - math.hypot(0.01, half * slope), abs=1e-3)
    assert high == pytest.approx(0.2 + math.hypot(0.02, half * slope), abs=1e-3)
    assert error.interval(0.2, math.nan, math.nan) == pytest.approx((0.2 - half * slope, 0.2 + half * slope), abs=1e-3)
    assert ModelError(2.0, 4, 0.1, 4).interval(0.5, 0.5, 0.5) == pytest.approx((0, 1))
    assert error.interval(0.0, 0.0, 0.0) == pytest.approx((0, half**2), rel=1e-3)


@pytest.mark.parametrize(("sources", "spread"), [(2, 0.03), (3, 0.05), (8, 0.01)])
def test_it_covers_the_truth_in_simulated_studies(sources: int, spread: float) -> None:
    """A model whose error is normal from micrograph to micrograph, validated on a few, asked about another.

    The rock's porosity is 0.1 on average, and its fields vary by a third of it.
    """
    random, held, studies, fields = np.random.default_rng(0), 0, 2000, 40

    def found(true: np.ndarray | float) -> np.ndarray:
        return np.sin(np.arcsin(np.sqrt(true)) - spread * random.normal()) ** 2

    for _ in range(studies):
        error = ModelError.of([image(str(source), float(found(0.1)), 0.1) for source in range(sources)])
        assert error is not None
        pore = found(np.mean(np.clip(random.normal(0.1, 0.033, fields), 0, 1)))
        reach = 1.96 * 0.033 / math.sqrt(fields)
        low, high = error.interval(float(pore), float(pore) - reach, float(pore) + reach)
        held += low <= 0.1 <= high
    assert 0.93 <= held / studies <= 0.99
