"""The text of a scale bar: found beside its line, and read as a length, or not at all."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.images.microscope.ink import Box, Ink
from pipeline.images.microscope.scale_lines import SHORTEST, ScaleLine, is_line
from pipeline.images.microscope.text_recognition import read_text

#: bars are drawn over round lengths: these, times a power of ten
_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
#: glyphs' height (px), small letters too
_LOWEST_GLYPH, _HIGHEST_GLYPH = 5, 120
#: width of a glyph in its heights; what is thinner divides cells
_THINNEST = 0.15
#: distance of words on a line, in heights of the glyphs
_WORD_GAP = 1.3
#: height of a bar with its ticks, in those of its text
_HIGHEST_BAR = 2.5
#: certainty of the text
_CERTAIN = 0.7
#: texts near one line that are read
_MOST_TEXTS = 4
#: components near a line; more are texture
_MOST_GLYPHS = 2000
#: a length, maybe after conditions on the same line, `15kV X10,000 1um`; not after its own name, `WD 10mm`
_TEXT = re.compile(r"(?:.*[0-9][^ =:]* )?([0-9]+(?:[.,][0-9]+)?) ?([nuµμp]m|mm)")


@dataclass(frozen=True)
class ScaleLabel:
    """The text of a scale bar.

    Attributes:
        length: in `unit`.
        unit: nm, um or mm.
        certainty: from 0 to 1.
        box: where it stands.
        text: as recognised.
    """

    length: float
    unit: str
    certainty: float
    box: Box
    text: str


def label_of(ink: Ink, line: ScaleLine) -> ScaleLabel | None:
    """The nearest text that is a length: a round number and a unit.

    Text is read twice, from two pictures of it.

    Args:
        ink: of an image.
        line: of `scale_lines`.

    Returns:
        None where there is none, or it is read in two ways or without certainty.
    """
    for box in sorted(_texts_near(ink, line), key=lambda box: _distance(box, line))[:_MOST_TEXTS]:
        (text, score), (again, other_score) = _read_twice(ink, box)
        length, certainty = _length(text), min(score, other_score)
        if length is None and _length(again) is None:
            continue
        if length is None or length != _length(again) or certainty < _CERTAIN:
            return None
        if _has_point(ink, box) and not set(text) & set(".,"):
            return None  # 5.00 read as 500
        if _has_another_line(ink, line.box, box) or (line.gap is None and _is_half(ink, line.box, box)):
            return None
        return ScaleLabel(*length, certainty, box, text)
    return None


def _texts_near(ink: Ink, line: ScaleLine) -> list[Box]:
    """Lines of text above, below and beside a line, or in its gap."""
    top, left, bottom, right = ink.boxes.T
    reach = max(3 * line.box.height, line.box.width // 2, 100)
    near = (bottom > line.box.top - reach) & (top < line.box.bottom + reach)
    near &= (right > line.box.left - 3 * reach) & (left < line.box.right + 3 * reach)
    near &= (bottom - top <= _HIGHEST_GLYPH) & (right - left <= 4 * _HIGHEST_GLYPH)
    near &= (bottom - top < 8) | (right - left >= _THINNEST * (bottom - top))
    numbers = [int(index) + 1 for index in np.flatnonzero(near) if int(index) + 1 not in line.parts]
    if len(numbers) > _MOST_GLYPHS:
        return []  # texture
    glyphs = [ink.box(number) for number in numbers if ink.box(number).width < SHORTEST / 2 or not is_line(ink, number)]
    return [box for box in _text_lines(glyphs) if _belongs(box, line)]


def _text_lines(glyphs: list[Box]) -> list[Box]:
    """Glyphs that stand beside each other, with the points and dashes between them."""
    lines: list[tuple[Box, int, int]] = []  # box, number and largest height of its glyphs
    for box in sorted(glyphs, key=lambda box: box.left):
        for index, (whole, count, height) in enumerate(lines):
            overlap = min(whole.bottom, box.bottom + 1) - max(whole.top, box.top - 1)
            high = max(height, box.height)
            beside = -0.5 * high <= box.left - whole.right <= _WORD_GAP * high
            if beside and overlap >= 0.5 * min(whole.height, box.height) and box.height <= 2.5 * height:
                lines[index] = whole.around(box), count + 1, high
                break
        else:
            if box.height >= _LOWEST_GLYPH:
                lines.append((box, 1, box.height))
    return [box for box, count, _ in lines if count > 1 or box.width >= 1.5 * box.height]


def _belongs(text: Box, line: ScaleLine) -> bool:
    """Whether a text is where a bar's text stands."""
    high = text.height
    bar = line.box
    if bar.height > _HIGHEST_BAR * high:
        return False  # its ticks are the sides of a frame
    if line.gap is not None:
        inside = line.gap[0] <= text.left and text.right <= line.gap[1]
        return inside and text.top < bar.bottom and text.bottom > bar.top
    middle = (text.left + text.right) / 2
    over = max(bar.top - text.bottom, text.top - bar.bottom)
    if -high <= over <= 2.5 * high and bar.left - high <= middle <= bar.right + high:
        return text.width <= bar.width + 4 * high and high <= bar.width / 2
    beside = max(bar.left - text.right, text.left - bar.right)
    level = text.top - 0.5 * high <= (bar.top + bar.bottom) / 2 <= text.bottom + 0.5 * high
    return level and 0 <= beside <= 3 * high


def _distance(text: Box, line: ScaleLine) -> float:
    over = max(line.box.top - text.bottom, text.top - line.box.bottom, 0)
    beside = max(line.box.left - text.right, text.left - line.box.right, 0)
    return float(over + beside)


def _read_twice(ink: Ink, box: Box) -> tuple[tuple[str, float], tuple[str, float]]:
    """A text and its certainty, from two pictures of it: as it is, and in the other colour with an even ground."""
    margin = max(2, round(0.25 * box.height))
    rows = slice(max(0, box.top - margin), box.bottom + margin)
    columns = slice(max(0, box.left - margin), box.right + margin)
    grey, labels = ink.grey[rows, columns], ink.labels[rows, columns]
    own = np.isin(labels, ink.inside(box))
    near = ndimage.binary_dilation(own, iterations=2)
    ground, brightest = np.quantile(grey[~near], [0.5, 0.9]) if not near.all() else (0.0, 0.0)
    others = ndimage.binary_dilation((labels > 0) & ~own) & ~near
    first = np.where(others, ground, grey)
    floor = min(float(brightest), 0.7)
    even = np.pad(np.clip((first - floor) / (1 - floor), 0, 1), margin)
    return read_text(first), read_text(1 - even)


def _has_point(ink: Ink, text: Box) -> bool:
    """Whether a decimal point stands among the digits: small, on the line of the first one."""
    glyphs = sorted((ink.box(number) for number in ink.inside(text)), key=lambda box: box.left)
    first = next((box for box in glyphs if box.height > text.height / 2), text)
    high = first.height
    return any(
        0.1 * high <= min(box.height, box.width)
        and max(box.height, box.width) <= 0.3 * high
        and abs(box.bottom - first.bottom) <= 0.1 * high + 0.5
        and first.right <= box.left
        and box.right < text.left + 2 * text.width / 3
        for box in glyphs
    )


def _has_another_line(ink: Ink, line: Box, text: Box) -> bool:
    """Whether a shorter line stands beyond the text: then that is the bar, and this one the edge of a box around both.

    It may be too pale for a component.
    """
    far = 3 * text.height
    rows = slice(text.bottom, text.bottom + far) if text.top >= line.top else slice(max(0, text.top - far), text.top)
    zone = ink.grey[rows, line.left + 3 : line.right - 3]
    if not zone.size:
        return False
    pen = float(ink.grey[text.top : text.bottom, text.left : text.right].max())
    ground = float(np.median(zone))
    drawn = zone > ground + 0.3 * (pen - ground)
    edge = max(2, zone.shape[1] // 40)
    inner = drawn[:, zone.shape[1] // 4 : -zone.shape[1] // 4].mean(axis=1)
    ends = np.concatenate([drawn[:, :edge], drawn[:, -edge:]], axis=1).mean(axis=1)
    return bool(np.any((inner > 0.7) & (ends < 0.3)))


def _is_half(ink: Ink, line: Box, text: Box) -> bool:
    """Whether a line beside its text goes on behind the text: then it is one half of a broken bar."""
    if text.right <= line.left:
        columns = slice(max(0, text.left - 2 * text.height - line.width), text.left)
    elif text.left >= line.right:
        columns = slice(text.right, text.right + 2 * text.height + line.width)
    else:
        return False
    zone = ink.grey[max(0, line.top - 1) : line.bottom + 1, columns]
    pen = float(np.median(ink.grey[line.top : line.bottom, line.left : line.right]))
    drawn = np.pad(zone > 0.3 * pen + 0.7 * float(np.median(ink.grey)), ((0, 0), (1, 1)))
    edges = np.diff(drawn.astype(np.int8), axis=1)
    starts, ends = np.nonzero(edges == 1)[1], np.nonzero(edges == -1)[1]
    return bool(len(starts) and (ends - starts).max() >= line.width / 3)


def _length(text: str) -> tuple[float, str] | None:
    """A round number with a unit; None where the text is anything else."""
    match = _TEXT.fullmatch(" ".join(unicodedata.normalize("NFKC", text).split()))
    if match is None:
        return None
    digits = match[1].replace(",", ".")
    if match[2] == "mm" and re.fullmatch(r"[0-9]+[.]0", digits):
        return None  # a working distance
    value = float(digits)
    unit = match[2] if match[2] in ("nm", "mm") else "um"  # the sign for micro may be read as a p
    if not value > 0:
        return None
    power = 10.0 ** np.floor(np.log10(value) + 1e-9)
    return (value, unit) if any(abs(value / power - number) < 1e-6 for number in _ROUND) else None
