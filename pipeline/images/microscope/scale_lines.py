"""Lines that may be scale bars, measured to parts of a pixel: plain, hollow, with ticks, broken, or dots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.images.microscope.ink import Box, Ink

#: a bar's length (px, and share of the image's width): one pixel more or less is 2 % of the shortest
SHORTEST, _LONGEST_SHARE = 50, 0.85
#: of a line with its surroundings; paler ones are what JPEG leaves of edges
_LEAST_CONTRAST = 0.25
#: of a broken bar: half (px), and the gap in halves; two equals signs are none
_SHORTEST_HALF, _WIDEST_GAP = 12, 4
#: dots of one bar; Hitachi draws 11
_FEWEST_DOTS = 6
#: sides of a dot (px)
_LARGEST_DOT = 16


@dataclass(frozen=True)
class ScaleLine:
    """A line that may be a scale bar.

    Attributes:
        box: all of it, ticks too.
        pixels: its length: between the middles of its end ticks or dots, or from end to end (px).
        gap: columns (from, to before) that its text may stand in, where it is broken.
        parts: numbers of the components that it is made of.
    """

    box: Box
    pixels: float
    gap: tuple[int, int] | None
    parts: tuple[int, ...]


def scale_lines(ink: Ink) -> list[ScaleLine]:
    """The lines among an image's components that have the form of a scale bar.

    Args:
        ink: of `inks`.

    Returns:
        Those of `SHORTEST` px and more, the frames of boxes and tables left out.
    """
    longest = _LONGEST_SHARE * ink.grey.shape[1]
    strokes = _strokes(ink, longest)
    found = [*_whole_lines(ink, strokes), *_broken_lines(ink, strokes, longest), *_dotted_lines(ink)]
    rows = len(ink.grey)
    return [
        line
        for line in found
        if SHORTEST <= line.pixels <= longest and line.box.top > 1 and line.box.bottom < rows - 1  # else a frame
    ]


def is_line(ink: Ink, number: int) -> bool:
    """Whether a component is a line, maybe with ticks, and no glyph or word."""
    box = ink.box(number)
    return box.width > 3 * box.height and _stroke(ink, number) is not None


@dataclass(frozen=True)
class _Stroke:
    """A component that is a horizontal line, maybe with ticks: its box, its rows, the columns with ink beyond them."""

    number: int
    box: Box
    rows: slice
    ticks: np.ndarray
    hollow: bool = False

    def end(self, right: bool) -> slice | None:
        """Columns of the tick at an end, where there is one."""
        near = max(3, self.box.width // 20)
        columns = np.flatnonzero(self.ticks[-near:] if right else self.ticks[:near])
        if not len(columns):
            return None
        first = self.box.right - min(near, self.box.width) if right else self.box.left
        return slice(first + int(columns[0]), first + int(columns[-1]) + 1)


def _stroke(ink: Ink, number: int) -> _Stroke | None:
    """A component as a horizontal line; None where it has another form."""
    box = ink.box(number)
    mask = ink.labels[box.top : box.bottom, box.left : box.right] == number
    full = np.flatnonzero(mask.mean(axis=1) >= 0.9)
    if not len(full):
        return None
    thick = int(full[-1] - full[0]) + 1
    if thick > box.width / 3:
        return None
    if thick != len(full):
        return _hollow(ink, number, box, mask, full)
    rows = slice(box.top + int(full[0]), box.top + int(full[-1]) + 1)
    core = mask[full]
    starts, ends = core.argmax(axis=1), core[:, ::-1].argmax(axis=1)
    if max(np.ptp(starts), np.ptp(ends)) > 2:
        return None  # no straight ends: it runs into what is imaged
    if box.height - thick <= max(2, 0.3 * thick):  # its edges, smooth or ragged
        straight = starts.max() <= 2 and ends.max() <= 2
        return _Stroke(number, box, rows, np.zeros(box.width, bool)) if straight else None
    beyond = np.delete(mask, np.s_[full[0] : full[-1] + 1], axis=0)
    ticks = beyond.sum(axis=0) >= 2
    return _Stroke(number, box, rows, ticks) if ticks.any() and ticks.mean() <= 0.3 else None


def _hollow(ink: Ink, number: int, box: Box, mask: np.ndarray, full: np.ndarray) -> _Stroke | None:
    """The outline of a bar: two lines and two sides around nothing."""
    inside = np.setdiff1d(np.arange(full[0], full[-1] + 1), full)
    whole = full[0] <= 1 and full[-1] >= len(mask) - 2 and np.array_equal(inside, np.arange(inside[0], inside[-1] + 1))
    if not whole or box.height > box.width / 5:
        return None
    sides = mask[inside].mean(axis=0) > 0.5
    middle = ink.labels[box.top + inside[0] : box.top + inside[-1] + 1, box.left : box.right]
    if not (sides[:3].any() and sides[-3:].any()) or sides[4:-4].any() or np.any((middle > 0) & (middle != number)):
        return None
    upper = slice(box.top + int(full[0]), box.top + int(inside[0]))
    return _Stroke(number, box, upper, np.zeros(box.width, bool), hollow=True)


def _strokes(ink: Ink, longest: float) -> list[_Stroke]:
    """The lines of an image from half of a broken bar to the longest bar."""
    top, left, bottom, right = ink.boxes.T
    width, height = right - left, bottom - top
    numbers = np.flatnonzero((width >= _SHORTEST_HALF) & (width <= longest) & (height <= width)) + 1
    strokes = (_stroke(ink, int(number)) for number in numbers)
    return [stroke for stroke in strokes if stroke is not None]


def _whole_lines(ink: Ink, strokes: list[_Stroke]) -> Iterator[ScaleLine]:
    for stroke in strokes:
        if stroke.box.width < SHORTEST - 2:
            continue
        ends = stroke.end(right=False), stroke.end(right=True)
        if stroke.ticks.any() and None in ends:
            continue
        if not (_ends(ink, stroke, right=False) and _ends(ink, stroke, right=True)):
            continue
        pixels = _place(ink, stroke, right=True) - _place(ink, stroke, right=False)
        yield ScaleLine(stroke.box, pixels, None, (stroke.number,))


def _broken_lines(ink: Ink, strokes: list[_Stroke], longest: float) -> Iterator[ScaleLine]:
    """Two lines of one length at one height, whose ticks, if any, are at their outer ends."""
    halves = [stroke for stroke in strokes if stroke.box.width <= longest / 2 and not stroke.hollow]
    for left in halves:
        for right in halves:
            gap = right.box.left - left.box.right
            apart = max(abs(left.rows.start - right.rows.start), abs(left.rows.stop - right.rows.stop))
            if apart > 1 or not 8 <= gap <= _WIDEST_GAP * left.box.width:
                continue
            lengths = left.box.width, right.box.width
            if max(lengths) - min(lengths) > max(6, 0.2 * max(lengths)) or right.box.right - left.box.left > longest:
                continue
            if left.end(right=True) or right.end(right=False):
                continue
            if not (_ends(ink, left, right=False) and _ends(ink, right, right=True)):
                continue
            pixels = _place(ink, right, right=True) - _place(ink, left, right=False)
            yield ScaleLine(
                left.box.around(right.box), pixels, (left.box.right, right.box.left), (left.number, right.number)
            )


def _ends(ink: Ink, stroke: _Stroke, *, right: bool) -> bool:
    """Whether a line stands out, and does not go on beyond its end as a paler one, such as a border."""
    box, wide = stroke.box, ink.grey.shape[1]
    columns = slice(box.right + 2, box.right + 6) if right else slice(max(0, box.left - 6), max(0, box.left - 2))
    if columns.start >= wide or columns.stop < 1:
        return False  # it runs out of the image
    beside = [
        *range(max(0, box.top - 4), max(0, box.top - 1)),
        *range(box.bottom + 1, min(len(ink.grey), box.bottom + 4)),
    ]
    ground = float(np.median(ink.grey[beside][:, columns]))
    pen = float(np.median(ink.grey[stroke.rows, box.left : box.right]))
    beyond = float(ink.grey[stroke.rows, columns].mean())
    return pen - ground >= _LEAST_CONTRAST and beyond - ground <= 0.3 * (pen - ground)


def _place(ink: Ink, stroke: _Stroke, *, right: bool) -> float:
    """Where a line ends (px from the image's left border): the middle of its thin tick, or its edge."""
    tick = stroke.end(right)
    thick = stroke.rows.stop - stroke.rows.start
    beyond = 0 if tick is None else stroke.box.right - tick.stop if right else tick.start - stroke.box.left
    if tick is not None and beyond <= 1 and tick.stop - tick.start <= max(6, 2 * thick):  # else an arrow's head
        rows = [
            y
            for y in range(stroke.box.top, stroke.box.bottom)
            if not stroke.rows.start - 1 <= y <= stroke.rows.stop  # the line's smooth edge is none of the tick
        ]
        if rows:
            return _middle(ink.grey[rows].mean(axis=0), tick.start, tick.stop)
    profile = ink.grey[stroke.rows].mean(axis=0)
    pen = float(np.median(profile[stroke.box.left : stroke.box.right]))
    if right:
        return _edge(profile, stroke.box.right, pen)
    return len(profile) - _edge(profile[::-1], len(profile) - stroke.box.left, pen)


def _middle(profile: np.ndarray, start: int, stop: int) -> float:
    """The middle of a stroke in a profile: its centre of mass above the ground on both sides."""
    first, last = max(0, start - 2), min(len(profile), stop + 2)
    part = profile[first:last]
    weight = np.clip(part - max(float(part[0]), float(part[-1]), 0.0), 0, None)
    if not weight.sum() > 0:
        return (start + stop) / 2
    return first + 0.5 + float((weight * np.arange(len(part))).sum() / weight.sum())


def _edge(profile: np.ndarray, end: int, pen: float) -> float:
    """Where a profile falls to half between the pen and the ground, near column `end`, going right."""
    ground = float(profile[min(end + 2, len(profile) - 1)])
    half = (pen + ground) / 2
    for x in range(max(1, end - 3), min(len(profile), end + 3)):
        if profile[x] < half <= profile[x - 1]:
            return x - 0.5 + float((profile[x - 1] - half) / (profile[x - 1] - profile[x]))
    return float(end)


def _dotted_lines(ink: Ink) -> Iterator[ScaleLine]:
    """Rows of small components of one size at even distances."""
    top, left, bottom, right = ink.boxes.T
    small = np.flatnonzero((bottom - top <= _LARGEST_DOT) & (right - left <= _LARGEST_DOT))
    if len(small) > 20_000:
        return  # noise
    # plain numbers: one at a time, they are ten times as fast as those of arrays
    starts, centres = left.tolist(), ((left + right) / 2).tolist()
    middles, heights = ((top + bottom) // 2)[small].tolist(), (bottom - top)[small].tolist()
    rows: dict[tuple[int, int], list[int]] = {}
    for index, place in zip(small.tolist(), zip(middles, heights, strict=True), strict=True):
        rows.setdefault(place, []).append(index)
    taken: set[int] = set()
    for (middle, height), members in sorted(rows.items(), key=lambda row: -len(row[1])):
        if len(members) < 2:
            return  # nor has any that follows
        near = [
            index
            for y in (middle - 1, middle, middle + 1)
            for high in (height - 1, height, height + 1)
            for index in rows.get((y, high), ())
            if index not in taken
        ]
        if len(near) < _FEWEST_DOTS:
            continue
        near.sort(key=starts.__getitem__)
        for run in _even_runs(near, centres):
            taken.update(run)
            line = _dots(ink, run)
            if line is not None:
                yield line


def _even_runs(indices: list[int], centres: list[float]) -> Iterator[list[int]]:
    """Longest stretches of components whose centres are as far apart as the first two."""
    places = [centres[index] for index in indices]
    steps = [after - before for before, after in pairwise(places)]
    next_start = 0
    for start, (step, second) in enumerate(pairwise(steps)):
        # of an image's thousands of specks, hardly any get beyond this
        if step < 4 or abs(second - step) > 0.75 + 0.05 * step or start < next_start:
            continue
        stop = start + 3
        while stop < len(places):
            mean = (places[stop - 1] - places[start]) / (stop - 1 - start)
            if abs(steps[stop - 1] - mean) > 0.75 + 0.05 * mean:
                break
            stop += 1
        if stop - start >= _FEWEST_DOTS:
            yield indices[start:stop]
            next_start = stop


def _dots(ink: Ink, run: list[int]) -> ScaleLine | None:
    boxes = ink.boxes[run]
    widths = boxes[:, 3] - boxes[:, 1]
    if widths.max() - widths.min() > 2 or widths.max() > 2 * (boxes[:, 2] - boxes[:, 0]).max():
        return None
    box = Box(int(boxes[:, 0].min()), int(boxes[:, 1].min()), int(boxes[:, 2].max()), int(boxes[:, 3].max()))
    profile = ink.grey[box.top : box.bottom].mean(axis=0)
    places = [_middle(profile, int(left), int(right)) for left, right in boxes[:, 1::2]]
    step = (places[-1] - places[0]) / (len(places) - 1)
    dot = float(np.mean([profile[int(place)] for place in places]))
    between = float(np.median(profile[box.left : box.right]))
    if dot - between < _LEAST_CONTRAST:
        return None
    for beyond in (places[0] - step, places[-1] + step):
        # a dot that fell below the level would make the bar too short
        near = profile[max(0, int(beyond) - 1) : max(0, int(beyond) + 2)]
        if len(near) and near.max() > 0.4 * dot:
            return None
    return ScaleLine(box, places[-1] - places[0], None, tuple(int(index) + 1 for index in run))
