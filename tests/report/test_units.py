from __future__ import annotations

import math

import pytest

from pipeline.report.units import (
    MISSING,
    Scale,
    area_text,
    length_text,
    number,
    percent,
    percent_range,
    volume_text,
    whole,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1.00"),
        (0.012345, "0.0123"),
        (9.999, "10.0"),
        (12345.6, "12\u202f300"),
        (-16.06, "−16.1"),
        (99.95, "100"),
        (math.nan, MISSING),
        (math.inf, MISSING),
    ],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize("value", [1e-7, 0.00456, 0.0999, 0.9996, 3.14159, 99.96, 999.7, 45678.9, 1.23456e9])
def test_a_number_as_text_is_the_number(value: float) -> None:
    text = number(value)
    assert float(text.replace("\u202f", "")) == pytest.approx(value, rel=0.005)
    digits = text.replace("\u202f", "").replace(".", "").lstrip("0")
    assert len(digits) >= 3


def test_the_unit_suits_the_size() -> None:
    assert Scale.fitting(None, 8).unit == "px"
    assert (Scale.fitting(20, 8).unit, Scale.fitting(20, 8).per_px) == ("nm", 20)
    assert (Scale.fitting(100, 8).unit, Scale.fitting(100, 8).per_px) == ("µm", 0.1)
    assert Scale.fitting(20, math.nan).unit == "µm"
    assert length_text(100, None) == "100\u00a0px"
    assert [length_text(100, nm) for nm in (2, 20, 2e5)] == ["200\u00a0nm", "2.00\u00a0µm", "20.0\u00a0mm"]


def test_areas() -> None:
    assert area_text(4.0e6, None) == "4.00\u00a0megapixels"
    assert area_text(900, None) == "900\u00a0px²"
    assert area_text(1e6, 1000) == "1.00\u00a0mm²"
    assert area_text(1e6, 20) == "400\u00a0µm²"
    assert area_text(10, 10) == "1\u202f000\u00a0nm²"


def test_volumes() -> None:
    assert volume_text(4.0e6, 10, None) == "4.00\u00a0million voxels"
    assert volume_text(900, None, 20) == "900\u00a0voxels"
    assert volume_text(960000, 10, 20) == "1.92\u00a0µm³"


def test_shares_and_counts() -> None:
    assert percent(0.1234) == "12.3\u00a0%"
    assert percent(math.nan) == MISSING
    assert percent_range(0.0974, 0.1206) == "9.74 to 12.06\u00a0%"
    assert percent_range(0, 0.000031) == "0 to 0.00310\u00a0%"  # a rare phase is not in 0 to 0
    assert percent_range(0, 0) == "0 to 0\u00a0%"
    assert whole(1234567) == "1\u202f234\u202f567"
