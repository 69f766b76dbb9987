"""Names that a user chooses from a fixed set."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pipeline.errors import UserError


def check_name(what: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known.

    Args:
        what: what is named, for the message.
        name: the user's choice.
        known: the names that exist.

    Raises:
        UserError: it does not exist; the message has the nearest name that does, and all of them.
    """
    known = list(known)
    if name in known:
        return name
    nearest = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {nearest[0]}? " if nearest else ""
    raise UserError(f"unknown {what} {name!r}: {hint}choose from {', '.join(known)}")
