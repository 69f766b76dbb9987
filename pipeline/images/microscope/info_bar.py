"""The strip of text and scale bar of a microscope's image: found by its look, cut off as the user chooses."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from pipeline.errors import FileProblem, UserError
from pipeline.images.microscope.acquisition import Acquisition
from pipeline.images.microscope.bar_by_look import find_info_bar

log = logging.getLogger("vlsenet")

#: rows and pixels of an image that are looked at for a bar; no bar is higher
_MOST_ROWS, _MOST_PIXELS = 1024, 1 << 26


def info_bar_height(
    choice: str | int,
    read: Callable[[int, int, int, int], np.ndarray],
    shape: tuple[int, int],
    acquisition: Acquisition,
) -> int:
    """The height of the info bar to cut off an image.

    Args:
        choice: `keep` cuts nothing; `auto` takes the height that the file states, where the rows do look drawn, or else
            what `find_info_bar` finds; a number is the height (px).
        read: from (top, left, height, width) to grey values, as `ImageSource.read`; a third of the rows at most.
        shape: height and width of the image (px).
        acquisition: what the image's file says.

    Returns:
        Rows to cut off at the lower border (px), 0 for none; also where the lowest rows can't be read.

    Raises:
        UserError: the choice is not one of these, or leaves no image.
    """
    rows, width = shape
    text = str(choice).strip().lower()
    if text == "keep":
        return 0
    if text != "auto":
        if not (text.isascii() and text.isdigit()):
            raise UserError(f"--info_bar {choice}: must be keep, auto or a height in whole pixels, such as 60")
        if int(text) >= rows:
            raise UserError(f"--info_bar {choice} leaves nothing of an image of {rows} rows; give the bar's height")
        return int(text)
    high = max(1, min(-(-rows // 3) + 1, _MOST_ROWS, max(64, _MOST_PIXELS // max(1, width)), rows))
    try:
        bottom = read(rows - high, 0, high, width)
    except FileProblem:  # raised again where they are needed; a region of interest may leave them out
        return 0
    stated = acquisition.bar_height
    if stated is None:
        return find_info_bar(bottom, rows)
    if stated and not (stated <= len(bottom) and is_drawn(bottom[-stated:])):
        if seen := find_info_bar(bottom, rows):
            return seen
        log.warning(
            "the file states an info bar of %d rows, but the lowest rows do not look like one: nothing is cut off; "
            "--info_bar PIXELS sets its height",
            stated,
        )
        return 0
    return stated


def is_drawn(strip: np.ndarray) -> bool:
    """Whether rows (h, W) are drawn and not imaged: neighbours are equal where there is no noise."""
    return strip.shape[1] > 1 and float(np.mean(strip[:, 1:] == strip[:, :-1])) >= 0.4
