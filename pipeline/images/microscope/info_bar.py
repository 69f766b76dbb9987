"""The strip of text and scale bar of a microscope's image: found by its look, cut off as the user chooses."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from pipeline.errors import FileProblem, UserError
from pipeline.images.microscope.acquisition import Acquisition
from pipeline.images.microscope.bar_by_look import find_info_bar
from pipeline.images.microscope.bar_choice import bar_chosen
from pipeline.images.rectangles import Rows

log = logging.getLogger("vlsenet")

#: rows and pixels of an image that are looked at for a bar; no bar is higher
_MOST_ROWS, _MOST_PIXELS = 1024, 1 << 26
#: share of the pixels that are equal to the next in what is drawn, and how much more than in what is imaged after JPEG
_EQUAL, _MORE_EQUAL = 0.4, 2.0

Read = Callable[[int, int, int, int], np.ndarray]


def rows_without_bar(
    choice: str | int, read: Read, shape: tuple[int, int], acquisition: Acquisition, name: str = "the image"
) -> Rows:
    """The rows of an image that are left without its info bar.

    Args:
        choice: `keep` cuts nothing; `auto` takes the height below the image that the file states, where these rows do
            look drawn, or else what `find_info_bar` finds below and on top; a number is the height below the image
            (px), `top:` and a number that of a bar on top.
        read: from (top, left, height, width) to grey values, as `ImageSource.read`; a third of the rows at most.
        shape: height and width of the image (px).
        acquisition: what the image's file says.
        name: of the image, for a warning.

    Returns:
        All rows where there is no bar; also where the rows can't be read.

    Raises:
        UserError: the choice is not one of these, or leaves no image.
    """
    rows, width = shape
    chosen = bar_chosen(choice)
    if chosen is not None:
        if sum(chosen) >= rows:
            raise UserError(f"--info_bar {choice} leaves nothing of an image of {rows} rows; give the bar's height")
        return Rows(chosen.on_top, rows - chosen.below)
    high = max(1, min(-(-rows // 3) + 1, _MOST_ROWS, max(64, _MOST_PIXELS // max(1, width)), rows))
    try:
        bottom = read(rows - high, 0, high, width)
        stated = acquisition.bar_height or 0
        if stated and _looks_drawn(bottom, stated):
            return Rows(0, rows - stated)
        below = find_info_bar(bottom, rows)
        on_top = find_info_bar(read(0, 0, high, width)[::-1], rows)
    except FileProblem:  # raised again where they are needed; a region of interest may leave them out
        return Rows(0, rows)
    if stated and not (below or on_top):
        log.warning(
            "%s: its file states an info bar of %d rows, but the lowest rows do not look like one: nothing is cut off; "
            "--info_bar PIXELS (top:PIXELS for one on top) sets its height",
            name,
            stated,
        )
    return Rows(on_top, rows - below)


def _looks_drawn(bottom: np.ndarray, height: int) -> bool:
    """Whether the lowest rows, so many of (h, W), are drawn and not imaged: neighbours are equal where no noise is."""
    if height > len(bottom) or bottom.shape[1] < 2:
        return False
    bar, above = bottom[-height:], bottom[: -height or None][-2 * height :]
    equal = _equal_share(bar)
    return equal >= _EQUAL or (len(above) >= height and equal >= _MORE_EQUAL * max(_equal_share(above), _EQUAL / 4))


def _equal_share(strip: np.ndarray) -> float:
    return float(np.mean(strip[:, 1:] == strip[:, :-1]))
