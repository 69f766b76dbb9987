"""The strip of text and scale bar below a microscope's image: found by its look, cut off as the user chooses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import product

import numpy as np
from scipy.ndimage import maximum_filter

from pipeline.errors import FileProblem, UserError
from pipeline.images.microscope.acquisition import Acquisition

#: share of a row that is of the ground's or the pen's level; the rest is the strokes' smooth edges
_DRAWN = 0.4
#: share of a row that makes it a line from side to side
_LINE = 0.9
#: by how much more of a row is drawn at the bar's upper border than just above it
_STEP = 0.3
#: of bars (px, and share of the image's rows)
_LOWEST, _HIGHEST_SHARE = 10, 0.3
#: strokes of the pen in a row that goes through writing
_FEWEST_STROKES = 4
#: share of the ground that is of exactly one level: all of it, but for what JPEG does near strokes
_EXACT, _EXACT_JPEG = 0.98, 0.5
#: rows below a bar, and columns beside it, that may still be image, or a frame (px): ZEISS draws bars so
_INSET = 3
#: side of JPEG's blocks (px)
_BLOCK = 8


def find_info_bar(bottom: np.ndarray, image_height: int | None = None) -> int:
    """Find the info bar at the lower border of an image by its look.

    Args:
        bottom: grey values of its lower rows, (h, W), or all of them; a quarter of the rows is enough.
        image_height: rows of the whole image; those of `bottom` where left out.

    Returns:
        The bar's height (px); 0 where there is none, or where it is not certain where it begins.
    """
    rows, width = bottom.shape
    most = min(rows - 1, int(_HIGHEST_SHARE * (image_height or rows)))
    if most < _LOWEST or width < 32:
        return 0
    bottom = bottom[rows - most - 1 :]
    grounds = _grounds(bottom[:-_INSET, _INSET:-_INSET])
    for below, beside, ground in product(range(_INSET + 1), (0, _INSET), grounds):
        height = _bar_on(bottom[: len(bottom) - below, beside : width - beside], ground)
        if height:
            return height + below
    return 0


def _grounds(bottom: np.ndarray) -> list[float]:
    """The levels that the ground of a bar could have: the commonest of the lowest rows, in bands of two sizes."""
    levels = []
    for rows in (_LOWEST, 4 * _LOWEST):
        level, share = _commonest(bottom[-rows:])
        if share >= _DRAWN / 2:
            levels.append(level)
    return list(dict.fromkeys(levels))


def _commonest(values: np.ndarray) -> tuple[float, float]:
    """The commonest value, and its share."""
    found, counts = np.unique(values, return_counts=True)
    at = int(counts.argmax())
    return float(found[at]), int(counts[at]) / values.size


def _bar_on(bottom: np.ndarray, ground: float) -> int:
    """Height of a bar whose ground has this level, 0 for none; `bottom` has one row more than a bar may have."""
    contrast = np.abs(bottom.astype(np.float32) - ground)
    span = float(bottom.max()) - float(bottom.min())
    near = span * 2.5 / 255  # JPEG moves flat areas by a level or two
    on_ground = contrast <= near
    ink = contrast > 0.3 * float(contrast[-_LOWEST * 4 :].max())
    if not ink[-_LOWEST * 4 :].any():
        return 0
    pen, _ = _commonest(bottom[-_LOWEST * 4 :][ink[-_LOWEST * 4 :]])
    share = (on_ground | (np.abs(bottom.astype(np.float32) - pen) <= near)).mean(axis=1)
    middle = np.median(bottom, axis=1)[:, None]
    lines = (np.abs(bottom - middle) <= near).mean(axis=1) >= _LINE
    lines &= on_ground.mean(axis=1) < _LINE
    share[lines] = 1
    drawn = share >= _DRAWN
    if drawn.all() or not drawn[-1]:
        return 0
    top = len(drawn) - int(np.argmin(drawn[::-1]))
    steps = np.flatnonzero(share[top:] - share[top - 1 : -1] >= _STEP)
    if not len(steps) or len(drawn) - top - steps[0] < _LOWEST:
        return 0  # the ground fades in, as resin or a frame does
    top += int(steps[0])
    return len(bottom) - top if _is_drawn(bottom[top:], ground, on_ground[top:], ink[top:], lines[top:]) else 0


def _is_drawn(bar: np.ndarray, ground: float, on_ground: np.ndarray, ink: np.ndarray, lines: np.ndarray) -> bool:
    """Whether a strip is a ground of one level with writing of one level on it, and a margin around that."""
    exact = np.count_nonzero(bar == ground) / max(1, int(np.count_nonzero(on_ground)))
    if exact < _EXACT_JPEG:
        return False  # noise about a level
    if exact < _EXACT:
        # JPEG spreads levels within the blocks that hold an edge; elsewhere the ground stays what it was
        apart = ~maximum_filter(ink, 2 * _BLOCK + 1)
        apart[:_BLOCK] = False
        if apart.mean() < 0.05 or np.mean(bar[apart] == ground) < _EXACT:
            return False
    ink = ink.copy()
    ink[lines] = False
    ink[:, ink.mean(axis=0) >= 0.8] = False  # lines from top to bottom, and frames
    if not 0.002 <= ink.mean() <= 0.4:
        return False
    pen, share = _commonest(bar[ink])
    if exact < _EXACT:
        # JPEG spreads the pen's level; a quarter of what lies about its middle is counted
        levels = bar[ink].astype(np.float32)
        strong = np.median(levels[np.abs(levels - ground) >= abs(pen - ground)])
        span = float(bar.max()) - float(bar.min())
        share = float(np.mean(np.abs(levels - strong) <= 0.1 * span)) / 4
    if share < 0.08:
        return False  # what is imaged is spread over many levels
    rows = np.flatnonzero(~lines)
    margin = max(1, len(bar) // 24)
    if ink[rows[:margin]].any() or ink[rows[-1:]].any() or ink[:, :2].mean() > 0.1:
        return False
    # from left to right a row of writing goes from ground to pen many times, and not far before it comes back
    starts = np.count_nonzero(ink[:, 1:] & ~ink[:, :-1], axis=1)
    written = starts >= _FEWEST_STROKES
    length = ink.sum(axis=1) / np.maximum(starts, 1)
    return bool(
        np.count_nonzero(written) >= max(3, len(bar) // 12) and np.median(length[written]) <= max(6.0, len(bar) / 2)
    )


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
