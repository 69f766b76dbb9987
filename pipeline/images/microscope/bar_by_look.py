"""The info bar of an image by its look alone: a strip of even ground with lines of text, from side to side.

A bar reaches the reader as it was drawn, or made larger or smaller, or through JPEG. What stays is what is looked for:
a straight border to the image, a ground that is even wherever no stroke is near, and strokes that stand in lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy import ndimage

#: of bars (px, and share of the image's rows)
_LOWEST, _HIGHEST_SHARE = 10, 0.3
#: rows beyond a bar, and columns beside it, that may be image or a frame (px): ZEISS draws bars so
_INSETS = (0, 1, 2, 3, 5)
#: levels, of 255, that what is drawn as ground may be off by, near strokes and elsewhere
_NEAR, _EVEN = 14.0, 1.5
#: share of a row that is ground in a bar; the rest is writing
_GROUND = 0.3
#: share of a row that makes it a line from side to side, levels that it may differ by, rows that it has at most,
#: share of ground in a row beside it, and levels from pixel to pixel, which is less than what is imaged has
_LINE, _LINE_NEAR, _LINE_ROWS, _LINE_BESIDE, _LINE_DETAIL = 0.85, 16.0, 6, 0.7, 3.0
#: by how much more of a row is ground in a bar than just before it
_STEP = 0.25
#: columns that are looked at for rows that can be of a bar
_COLUMNS = 1024
#: detail of a row that is mixed of image and bar, to that of the rows before
_BLURRED = 0.75
#: side of JPEG's blocks, and of those that were made larger afterwards (px): as far as a stroke changes the ground
_BLOCKS = (16, 8, 4)
#: share of the ground, away from strokes, that is even
_EVEN_SHARE = 0.93
#: pixels of almost the ground's level, to those of strokes, that JPEG or another size leave; share of the strokes that
#: is of exactly one level where nothing was done with them
_SMEARED, _PEN, _CLEAR_PEN = 0.03, 0.08, 0.2
#: of strokes: least contrast to the ground, of the largest
_STROKE = 0.35
#: fewest letters, or words where these hang together, also of those that are as they were drawn; lines of text at most
_FEWEST_LETTERS, _FEWEST_DRAWN, _MOST_LINES = 6, 4, 4
#: share of the letters that stand on these lines, and of the rows that have next to none
_ALIGNED, _BLANK_ROWS = 0.6, 0.15


def find_info_bar(outer: np.ndarray, image_height: int | None = None) -> int:
    """Find the info bar at the lower border of an image.

    Args:
        outer: grey values of its lower rows, (h, W), or all of them; a third of the rows is enough. For a bar on top,
            the upper rows upside down.
        image_height: rows of the whole image; those of `outer` where left out.

    Returns:
        The bar's height (px); 0 where there is none, or where it is not certain where it begins.
    """
    rows, width = outer.shape
    most = min(rows - 1, int(_HIGHEST_SHARE * (image_height or rows)))
    if most < _LOWEST or width < 32:
        return 0
    # some rows of the image, which the bar stands out from
    levels = _levels(outer[-min(rows, most + 2 * _LINE_ROWS) :])
    if levels is None:
        return 0
    for beyond in _INSETS:
        beside = min(beyond, _INSETS[-1])
        part = levels[: len(levels) - beyond, beside : width - beside]
        for ground, near in product(_grounds(part), (_NEAR, _EVEN)):
            if height := _height_on(part, ground, near, most - beyond):
                return height + beyond
    return 0


def _levels(pixels: np.ndarray) -> np.ndarray | None:
    """Grey values from 0 to 255; None where all are the same."""
    values = pixels.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    return (values - low) * (255 / (high - low)) if high > low else None


def _grounds(part: np.ndarray) -> list[float]:
    """The levels that the ground of a bar could have: the commonest of the lowest rows, in bands of some sizes."""
    levels = []
    for rows in (_LOWEST, 3 * _LOWEST, 6 * _LOWEST):
        band = part[-rows:]
        counts = np.bincount(np.round(band).astype(np.int64).ravel(), minlength=256)
        level = int(counts.argmax())
        if counts[level] >= 0.15 * band.size:
            close = band[np.abs(band - level) <= 0.5]
            levels.append(float(np.median(close)))
    return list(dict.fromkeys(levels))


def _height_on(part: np.ndarray, ground: float, near: float, most: int) -> int:
    """Height of a bar on a ground of this level, at most so many rows, in rows (h, W) that go on above it; 0 for none.

    What is off the ground's level by less than `near` can be ground.
    """
    few = part[:, :: max(1, part.shape[1] // _COLUMNS)]
    share = (np.abs(few - ground) <= near).mean(axis=1)
    lines = _lines(few, share)
    filled = np.where(lines, 1.0, share)
    found: list[tuple[int, float]] = []
    for top, step in _borders(filled, most):
        drawn = filled[top:] >= _GROUND
        if _longest_run(~drawn) > max(_LINE_ROWS, len(drawn) // 3) or drawn.mean() < 0.6:
            continue
        if is_written(part[top:], ground, lines[top:]):
            found.append((top, step))
    # the image begins where the step is large; in it, and between lines of text, there are small ones
    large = [top for top, step in found if step >= 0.7 * max(step for _, step in found)]
    if not large:
        return 0
    top = large[0]
    return len(part) - (_with_blurred(few, top) if _is_processed(part[top:] - ground) else top)


def _lines(rows: np.ndarray, ground_share: np.ndarray) -> np.ndarray:
    """Which of some rows (h, W) are lines from side to side: of one level that is not the ground's, few, next to it."""
    level = np.median(rows, axis=1)[:, None]
    lines = ((np.abs(rows - level) <= _LINE_NEAR).mean(axis=1) >= _LINE) & (ground_share < _LINE)
    lines &= np.abs(np.diff(rows, axis=1)).mean(axis=1) <= _LINE_DETAIL
    labels, _ = ndimage.label(lines)
    for (run,) in ndimage.find_objects(labels):
        beside = np.r_[ground_share[max(0, run.start - 2) : run.start], ground_share[run.stop : run.stop + 2]]
        if run.stop - run.start > _LINE_ROWS or not (beside >= _LINE_BESIDE).any():
            lines[run] = False
    return lines


def _borders(filled: np.ndarray, most: int) -> Iterator[tuple[int, float]]:
    """Rows at which a bar may begin, from the highest bar on, and by how much more of them is ground than before.

    `filled` is the share of each row that is ground; 1 for lines.
    """
    first = max(4, len(filled) - most)
    places = np.arange(first, len(filled) - _LOWEST + 1)
    if not len(places):
        return
    # a row between is mixed of both where the image was made larger or smaller
    inside = np.mean([filled[places + down] for down in range(3)], axis=0)
    before = np.mean([filled[places - up] for up in (2, 3, 4)], axis=0)
    step = inside - before
    for index in np.flatnonzero(step >= _STEP):
        around = step[max(0, index - 3) : index + 4]
        if index - max(0, index - 3) == int(around.argmax()):
            begin = next(place for place in range(max(0, index - 2), index + 1) if step[place] >= 0.9 * step[index])
            yield int(places[begin]), float(step[index])


def _with_blurred(rows: np.ndarray, top: int) -> int:
    """The first row of a bar that begins at `top` of rows (h, W), with those before it that its edge is blurred into.

    Such a row is mixed of the image and of what is drawn, and so shows less of the image's detail.
    """
    contrast = np.diff(rows[max(0, top - 6) : top], axis=1).std(axis=1)
    for up in range(min(3, len(contrast) - 2), 0, -1):
        if (contrast[-up:] < _BLURRED * contrast[-up - 2 : -up].mean()).all():
            return top - up
    return top


def _longest_run(flags: np.ndarray) -> int:
    labels, count = ndimage.label(flags)
    return int(np.bincount(labels)[1:].max()) if count else 0


def is_written(bar: np.ndarray, ground: float, lines: np.ndarray) -> bool:
    """Whether rows (h, W), levels of 255, are an even ground of this level with lines of text on it.

    Args:
        bar: the rows.
        ground: its level.
        lines: of each row, whether it is a line from side to side.
    """
    contrast = bar - ground
    far = np.abs(contrast) > _NEAR
    if not 0.4 <= 1 - far[~lines].mean() <= 0.995 or not _is_even(contrast, far):
        return False
    strength = float(np.percentile(np.abs(contrast[~lines]), 99.8))
    if strength <= 2 * _NEAR:
        return False
    sides = [contrast > _STROKE * strength, -contrast > _STROKE * strength]
    ink, other = sorted(sides, key=np.count_nonzero, reverse=True)
    if np.count_nonzero(other[~lines]) > 0.2 * np.count_nonzero(ink[~lines]):
        return False
    ink = ink & ~lines[:, None]
    if not ink.any():
        return False
    processed, one_level, letters = _is_processed(contrast), _commonest_share(contrast[ink]), _letters(ink)
    if not len(letters) or (one_level < _PEN and not processed):
        return False  # what is imaged is spread over many levels
    # of strokes that are as they were drawn, few are enough: there may be a length alone
    few = one_level >= _CLEAR_PEN and not processed and len(letters) >= _FEWEST_DRAWN
    written = few or _stands_in_lines(letters, len(bar))
    return written and _has_blank_rows(letters, lines)


def _is_even(contrast: np.ndarray, far: np.ndarray) -> bool:
    """Whether the ground is of one level where no stroke is near: what is imaged has noise, or slow changes."""
    for reach in _BLOCKS:
        apart = ~ndimage.maximum_filter(far, 2 * reach + 1)
        apart[:reach] = False
        if np.count_nonzero(apart) >= max(100, 0.01 * apart.size):
            share = _EVEN_SHARE if reach > min(_BLOCKS) else 0.6
            return bool(np.mean(np.abs(contrast[apart]) <= _EVEN) >= share)
    return False


def _is_processed(contrast: np.ndarray) -> bool:
    """Whether JPEG, or making it another size, has left levels near the ground's around the strokes."""
    distance = np.abs(contrast)
    close = np.count_nonzero((distance > 0.01) & (distance <= 2 * _EVEN))
    return bool(close >= _SMEARED * np.count_nonzero(distance > _NEAR))


def _commonest_share(values: np.ndarray) -> float:
    return float(np.unique(values, return_counts=True)[1].max()) / values.size


def _letters(ink: np.ndarray) -> np.ndarray:
    """Top, bottom and width of what can be a letter, or a word whose letters hang together, (N, 3)."""
    labels, _ = ndimage.label(ink, np.ones((3, 3)))
    high, wide = ink.shape
    boxes = [
        (rows.start, rows.stop, columns.stop - columns.start)
        for rows, columns in ndimage.find_objects(labels)
        if max(3, high // 14) <= rows.stop - rows.start <= 0.75 * high and columns.stop - columns.start <= wide / 3
    ]
    return np.array(boxes, np.int64).reshape(-1, 3)


def _has_blank_rows(letters: np.ndarray, lines: np.ndarray) -> bool:
    """Whether there are rows without letters around the lines of text, as there are not among grains."""
    count = np.zeros(len(lines) + 1, np.int64)
    np.add.at(count, letters[:, 0], 1)
    np.add.at(count, letters[:, 1], -1)
    count = np.cumsum(count)[:-1][~lines]
    return bool(np.mean(count <= 0.1 * count.max()) >= _BLANK_ROWS)


def _stands_in_lines(letters: np.ndarray, high: int) -> bool:
    """Whether letters begin and end at the same rows, as grains don't."""
    if len(letters) < _FEWEST_LETTERS:
        return False
    lines = max(1, min(_MOST_LINES, high // 12))
    aligned = [_on_lines(letters[:, side], high, lines) for side in (0, 1)]
    return min(aligned) >= max(_FEWEST_LETTERS, _ALIGNED * len(letters))


def _on_lines(places: np.ndarray, high: int, lines: int) -> int:
    """How many letters have a side on one of the rows, at most so many, that most of them have it on."""
    off, found = max(1, high // 40), 0
    for _ in range(lines):
        around = np.convolve(np.bincount(places, minlength=high + 1), np.ones(2 * off + 1, np.int64), "same")
        line = int(around.argmax())
        if around[line] < 4:
            break
        found += int(around[line])
        places = places[np.abs(places - line) > off]
    return found
