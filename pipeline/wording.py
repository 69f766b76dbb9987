"""Wording that many messages share."""

from __future__ import annotations

from collections.abc import Sequence


def some_of(names: Sequence[str], most: int = 5) -> str:
    """Return the first names as text, and how many more there are: `a, b, c and 4 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def some_lines(lines: Sequence[object], most: int) -> list[str]:
    """Return the first lines, indented, and one that says how many more there are."""
    more = [f"  ... and {len(lines) - most} more"] if len(lines) > most else []
    return [f"  {line}" for line in lines[:most]] + more
