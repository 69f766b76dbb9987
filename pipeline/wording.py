"""Wording that many messages share, and names that a user chooses from a fixed set."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from pipeline.errors import UserError

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


def without_passwords(text: str) -> str:
    """A text without the passwords of the addresses in it."""
    text = re.sub(r"(https?://[^\s:/@]*):[^\s/@]*@", r"\1@", text)
    text = re.sub(r"(\b(?!https?:)[a-z][+\w]*://[^\s:/@]*):[^\s@]*@", r"\1@", text)
    return re.sub(r"(?i)([?&]password=)[^&\s]*", r"\1", text)


def nearest(name: object, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the name that was probably meant: one that begins with `name`, or else a similar one.

    Upper and lower case count as the same.

    Args:
        name: the user's choice.
        known: the names that exist.
        likeness: least similarity of two names, 0 to 1, as difflib measures it.

    Returns:
        None if no name is similar.
    """
    asked, names = str(name).lower(), {other.lower(): other for other in known}
    longer = [other for other in names if asked and other.startswith(asked)]
    found = longer or difflib.get_close_matches(asked, names, n=1, cutoff=likeness)
    return names[found[0]] if found else None


def check_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known.

    Args:
        what: the kind of name, for the message.
        name: the user's choice.
        known: the names that exist.

    Raises:
        UserError: it does not exist; the message has the nearest name that does, and all of them.
    """
    known = list(known)
    if name in known:
        return name
    meant = nearest(name, known)
    hint = f"did you mean {meant}? " if meant else ""
    raise UserError(f"unknown {what} {name!r}: {hint}choose from {', '.join(known)}")


def named_numbers(text: str) -> float | dict[str, float]:
    """Numbers by name, as in `pore=0.4, silt grain=0.6`, or one number alone.

    Raises:
        ValueError: the text is neither.
    """
    parts = [part.rpartition("=") for part in text.split(",")]
    if len(parts) == 1 and not parts[0][1]:
        return float(text)
    found = {name.strip(): float(number) for name, sign, number in parts if sign}
    if len(found) != len(parts) or not all(found):
        raise ValueError(text)
    return found
