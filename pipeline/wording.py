"""Wording that many messages share."""

from __future__ import annotations

from collections.abc import Sequence

#: what is wrong with a file whose `printable` name is another, and what to do
NAME_IS_NO_TEXT = ("its name is not UTF-8 text, and no result could name it", "rename it")


def some_of(names: Sequence[str], most: int = 5) -> str:
    """Return the first names as text, and how many more there are: `a, b, c and 4 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def some_lines(lines: Sequence[object], most: int) -> list[str]:
    """Return the first lines, indented, and one that says how many more there are."""
    more = [f"  ... and {len(lines) - most} more"] if len(lines) > most else []
    return [f"  {line}" for line in lines[:most]] + more


def printable(name: str) -> str:
    """Return a path or file name as text that every file and terminal takes: bytes that are no UTF-8 become `\\xff`.

    POSIX allows any bytes in names; Python keeps those that are no text as lone surrogates, which can't be written.
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
