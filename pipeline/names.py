"""Names that a user chooses from a fixed set."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pipeline.errors import UserError


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
