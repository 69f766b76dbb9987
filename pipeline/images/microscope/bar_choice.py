"""What a user says an image's info bar is: `auto`, `keep`, or its height below or on top of the image."""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.errors import UserError

#: how the choices are written, for messages
CHOICES = "auto, keep, or the bar's height in whole pixels: 60 below the image, top:60 on top of it"

_HEIGHT = re.compile(r"(top:)?([0-9]{1,9})", re.ASCII)


class BarRows(NamedTuple):
    """The rows of an image's info bar (px).

    Attributes:
        on_top: above the image.
        below: below it.
    """

    on_top: int = 0
    below: int = 0


def bar_chosen(choice: str | int) -> BarRows | None:
    """The rows that a choice names; None for `auto`, where the image decides.

    Raises:
        UserError: it is none of `CHOICES`.
    """
    text = str(choice).strip().lower()
    if text in ("auto", "keep"):
        return None if text == "auto" else BarRows()
    height = _HEIGHT.fullmatch(text)
    if height is None:
        raise UserError(f"--info_bar {choice}: give {CHOICES}")
    return BarRows(on_top=int(height[2])) if height[1] else BarRows(below=int(height[2]))
