from __future__ import annotations

import numpy as np
import pytest

from pipeline.workflows.scan.overall import cautions_of, overall_fractions, ratio_interval


def row(porosity: float, rock: int, size: float | None = None) -> dict[str, float | None]:
    return {"porosity": porosity, "rock_pixels": rock, "pixel_size_nm": size}


def test_scans_count_by_their_area() -> None:
    (found,) = overall_fractions([row(0.1, 1000), row(0.3, 3000)], ["porosity"])
    assert found.fraction == pytest.approx(0.25)
    assert (found.scans, found.rock_pixels, found.by) == (2, 4000, "pixels of rock")
    # pixels of twice the side have four times the area
    (found,) = overall_fractions([row(0.1, 1000, 20.0), row(0.3, 4000, 10.0)], ["porosity"])
    assert found.fraction == pytest.approx(0.2)
    assert found.by == "area of rock"
    (found,) = overall_fractions([row(0.1, 1000, 20.0), row(0.3, 1000)], ["porosity"])
    assert found.fraction == pytest.approx(0.2)
    assert "not all pixel sizes are known" in found.said


def test_two_scans_have_no_interval() -> None:
    """Student's t of one degree of freedom is 12.7: it would reach from 0 to nearly all."""
    (found,) = overall_fractions([row(0.08, 1000), row(0.12, 1000)], ["porosity"])
    assert found.interval is None
    assert found.said == (
        "porosity of all 2 scans together 10.0\N{NO-BREAK SPACE}%, weighted by pixels of rock "
        "(no 95\N{NO-BREAK SPACE}% interval from scan to scan, which takes three scans or more)"
    )
    (found,) = overall_fractions([row(0.08, 1000), row(0.10, 1000), row(0.12, 1000)], ["porosity"])
    assert found.interval is not None
    assert "95\N{NO-BREAK SPACE}% interval from scan to scan 5.03 to 14.97\N{NO-BREAK SPACE}%)" in found.said


def test_a_single_scan_and_scans_without_rock_have_none() -> None:
    assert overall_fractions([], ["porosity"]) == []
    assert overall_fractions([row(0.1, 1000), {"porosity": None, "rock_pixels": 0}], ["porosity"]) == []


def test_scans_that_the_model_does_not_know_and_slices_are_told() -> None:
    rows = [{"familiarity": level} for level in ("like", "unlike", "far off", "far off", "unknown", None)]
    unknown, slices = cautions_of(rows, may_be_slices=True)
    assert unknown.startswith("not known to the model: 1 unlike and 2 far off from the training images, of 6 scans")
    assert "segment them with --stack" in slices
    assert cautions_of([*rows[:1], *rows[-2:]], may_be_slices=False) == []


def test_the_interval_is_students_where_all_are_of_one_size() -> None:
    low, high = ratio_interval(np.array([40.0, 50.0, 60.0]), np.full(3, 100.0))
    half = 4.302653 * 0.1 / np.sqrt(3)  # Student's t of 2 degrees of freedom; the standard deviation is 0.1
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))
    assert ratio_interval(np.array([0.0, 100.0]), np.array([100.0, 100.0])) == (0.0, 1.0)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    whole = random.integers(50, 200, (2000, 5)).astype(float)
    part = whole * np.clip(random.normal(0.2, 0.05, whole.shape), 0, 1)
    inside = 0
    for one, of in zip(part, whole, strict=True):
        low, high = ratio_interval(one, of)
        inside += low <= 0.2 <= high
    assert 0.92 < inside / 2000 < 0.97
