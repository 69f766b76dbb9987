"""The strip of text and scale bar that a microscope writes below its image, found by its look.

It is drawn by a program: its ground is one grey level to the pixel, from side to side, and there is writing on it.
Nothing that is imaged is like that. A black frame or resin below the detector's range is of one grey level, too, but
has no writing on it; and where rock borders on it, the border is not one straight line.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter

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
#: side of JPEG's blocks (px)
_BLOCK = 8


def find_info_bar(bottom: np.ndarray, image_height: int | None = None) -> int:
    """Find the info bar at the lower border of an image.

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
    for ground in _grounds(bottom):
        height = _bar_on(bottom, ground)
        if height:
            return height
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
