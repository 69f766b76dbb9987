from __future__ import annotations

import pytest

from pipeline.images.microscope.findings import mean_side, square_side


def test_sides_that_differ_by_rounding_are_equal() -> None:
    assert square_side((10.0, 10.06)) == mean_side((10.0, 10.06)) == pytest.approx((10 * 10.06) ** 0.5)


def test_a_pixel_that_is_no_square_has_a_mean_side_only() -> None:
    assert square_side((10.0, 10.2)) is None
    assert mean_side((10.0, 40.0)) == pytest.approx(20)


def test_unknown() -> None:
    assert square_side(None) is None
