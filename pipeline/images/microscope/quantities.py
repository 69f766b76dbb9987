"""Numbers, lengths and voltages as microscopes write them."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

_NM = {
    "pm": 1e-3, "picometer": 1e-3,
    "Å": 0.1, "angstrom": 0.1,
    "nm": 1.0, "nanometer": 1.0,
    "µm": 1e3, "μm": 1e3, "um": 1e3, "micrometer": 1e3, "micron": 1e3,
    "mm": 1e6, "millimeter": 1e6,
    "cm": 1e7, "centimeter": 1e7,
    "m": 1e9, "meter": 1e9,
    "fm": 1e-6, "femtometer": 1e-6,
    "inch": 2.54e7, "in": 2.54e7,
}  # fmt: skip

#: the sign for micro in code pages of East Asia (932, 936, 949, 950) and DOS (437), read as Latin-1
_MICRO = ("\x83Ê", "¦Ì", "¥ì", "£g", "æ")


def nm_per(unit: str) -> float | None:
    """How many nm a unit of length has; None where it is not known.

    Case, a plural and British spelling don't matter, nor that Unicode has two signs for micro and that UTF-8 read as
    Latin-1 has another letter before it, as other code pages have other letters; ImageJ writes the sign as an escape.
    """
    if unit in _NM:
        return _NM[unit]
    unit = unit.strip().strip("[]().").replace("\\u00B5", "u").replace("Â", "").replace("metre", "meter")
    for sign in ("µ", "μ", *_MICRO):
        unit = unit.replace(sign, "u")
    unit = unit.lower()
    return _NM.get(unit) or _NM.get(unit.removesuffix("s"))


_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]{1,40}(?:[.,][0-9]{0,40})?|[.,][0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?)(.*)", re.S)
#: a bare magnification such as 10,000, which is not 10 to three decimals
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(,[0-9]{3})+")
_THOUSAND = ("k", "kx", "k x", "kv")


def quantity(value: Any) -> tuple[float, str] | None:
    """A number and the unit behind it ("" where there is none).

    A comma is a decimal comma: microscopes write no separators of thousands. What has both point and comma is not
    taken, as either could be meant.

    Args:
        value: a number, text, or a tuple of a number and its unit.

    Returns:
        None where it doesn't start with a number, or the number is NaN or infinite.
    """
    if isinstance(value, (tuple, list)):
        value = " ".join(str(part) for part in value)
    if isinstance(value, bool) or value is None:
        return None
    match = _NUMBER.match(str(value)[:200])
    if match is None:
        return None
    try:
        number = float(match[1].replace(",", "."))
    except OverflowError:
        return None
    unit = unicodedata.normalize("NFKC", match[2]).strip()
    if not math.isfinite(number) or unit.startswith((".", ",")) or unit[:1].isdigit():
        return None
    return number, unit


def length_nm(value: Any, unit: str | None = None) -> float | None:
    """A length in nm.

    Args:
        value: as for `quantity`.
        unit: of a value that names none; a unit in the value itself goes first.

    Returns:
        None where there is no number, or its unit is missing or unknown. The length may be zero or negative.
    """
    found = quantity(value)
    if found is None:
        return None
    factor = nm_per(found[1] or unit or "")
    return None if factor is None else found[0] * factor


def volts(value: Any) -> float | None:
    """A voltage in V; a bare number is taken as volts."""
    found = quantity(value)
    if found is None or found[1].lower() not in ("", "v", "volt", "volts", "kv", "mv", "ev", "kev"):
        return None
    return found[0] * (1e3 if found[1].lower().startswith("k") else 1e-3 if found[1] == "mV" else 1.0)


def magnification(value: Any) -> float | None:
    """A magnification: 2000, 2000x, x2000, 2.00 K X, 10,000."""
    if isinstance(value, str):
        value = value.strip(" xX×")
        value = value.replace(",", "") if _THOUSANDS.fullmatch(value) else value
    found = quantity(value)
    return None if found is None else found[0] * (1e3 if found[1].lower() in _THOUSAND else 1.0)


def plain_text(value: Any, most: int = 80) -> str | None:
    """Text on one line, without what doesn't print; None where nothing is left."""
    if value is None or isinstance(value, (dict, bytes)):
        return None
    kept = "".join(c if c.isprintable() else " " for c in str(value)[: 4 * most])
    return " ".join(kept.split())[:most] or None
