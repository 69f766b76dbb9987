"""Progress bars of long work: shown by the commands, and in Python where they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm.auto import tqdm

_SHOWN: ContextVar[bool] = ContextVar("progress bars are shown", default=True)


@contextmanager
def bars_shown(shown: bool) -> Iterator[None]:
    """Show the bars that are made in this context, or don't."""
    before = _SHOWN.set(shown)
    try:
        yield
    finally:
        _SHOWN.reset(before)


def close_bars() -> None:
    """Leave all bars as they stand, so that what is printed next has a line of its own: the work was ended."""
    for bar in list(getattr(tqdm, "_instances", ())):
        bar.close()


def progress_bar(*arguments: Any, disable: bool = False, **options: Any) -> tqdm:
    """A bar of tqdm, in a notebook or a terminal; arguments as for `tqdm.tqdm`."""
    return tqdm(*arguments, disable=disable or not _SHOWN.get(), **{"mininterval": 1, **options})
