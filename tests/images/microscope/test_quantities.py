from __future__ import annotations

from typing import Any

import pytest

from pipeline.images.microscope.quantities import length_nm, magnification, plain_text, quantity, volts


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4 nm", (4, "nm")), ("4nm", (4, "nm")), ("0,5 um", (0.5, "um")), (4, (4, "")), ((4.5, "nm"), (4.5, "nm")),
        ("-1e-9", (-1e-9, "")), (".5", (0.5, "")), ("nm 4", None), ("", None), (None, None), (True, None),
        ("1.234,5 nm", None), ("1,234.5 nm", None), ("nan", None), ("inf", None), ("1e999", None), ("1_0", (1, "_0")),
    ],
)  # fmt: skip
def test_quantity(value: Any, expected: tuple[float, str] | None) -> None:
    assert quantity(value) == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("4 nm", None, 4), ("4 µm", None, 4e3), ("4 μm", None, 4e3), ("4 um", "nm", 4e3), ("4 Âµm", None, 4e3),
        ("4 \\u00B5m", None, 4e3), ("4 microns", None, 4e3), ("4 Nanometers", None, 4), ("4 pm", None, 4e-3),
        ("4 fm", None, 4e-6), ("4 Å", None, 0.4), ("4e-9", "m", 4), ("4e-9 m", None, 4), ("4 [nm]", None, 4),
        ("4", None, None), ("4 pixel", None, None), ("4 ?m", None, None), ("4 micrometres", None, 4e3),
    ],
)  # fmt: skip
def test_length(value: str, unit: str | None, expected: float | None) -> None:
    assert length_nm(value, unit) == (None if expected is None else pytest.approx(expected))


def test_volts_and_magnification() -> None:
    assert [volts(v) for v in ("5000 Volt", "5 kV", 5000, "5 keV", "5 bar")] == [5000, 5000, 5000, 5000, None]
    assert [magnification(m) for m in ("10,000", "x1,200,000 ", "1,5", "1,000 K X")] == [10_000, 1_200_000, 1.5, 1000]
    assert [magnification(m) for m in ("2.00 K X", "x2000", "2000x", 2000, "?")] == [2000, 2000, 2000, 2000, None]


def test_plain_text() -> None:
    assert plain_text(" a\x00b\r\n\x1b[31mc ") == "a b [31mc"
    assert plain_text("x" * 500, 80) == "x" * 80
    assert plain_text(" \n") is None
