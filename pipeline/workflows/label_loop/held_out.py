"""Strokes that a training does not see, by which two models are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy.ndimage import label as connected

from pipeline.images.rectangles import Part, Window
from pipeline.label_values import REST_NAMES
from pipeline.phases import decided
from pipeline.workflows.label_loop.seen_image import SeenImage

#: share of the strokes of a class that is held out, and how many it needs for that
SHARE, _FEWEST = 0.2, 3
_EIGHT = np.ones((3, 3), int)
#: side of what is asked of a model at once (px)
_SIDE = 512


@dataclass(frozen=True)
class PaintedPart:
    """A part of an image, with strokes.

    Attributes:
        window: where in the image it lies.
        codes: (h, w), 0 where nothing was painted.
        held: (h, w), which painted pixels are held out.
    """

    window: Window
    codes: np.ndarray
    held: np.ndarray


def with_held_out(painted: Mapping[Window, np.ndarray], width: int, name: str) -> list[PaintedPart]:
    """Hold strokes of an image out: whole ones, some of each class that has a few.

    The lot of a stroke falls by its place, so that it stays when others are added: what the model before has learned
    from would judge in its favour.

    Args:
        painted: codes (h, w) of windows that no stroke crosses, 0 where nothing was painted.
        width: of the image (px).
        name: of the image.
    """
    parts = [PaintedPart(window, codes, np.zeros(codes.shape, bool)) for window, codes in painted.items()]
    for code in sorted({int(code) for part in parts for code in np.unique(part.codes)} - {0}):
        numbered = [connected(part.codes == code, _EIGHT)[0] for part in parts]
        lots = [
            (crc32(f"{name} {place}".encode()), number, stroke)
            for number, (part, strokes) in enumerate(zip(parts, numbered, strict=True))
            for stroke, place in enumerate(_places(strokes, part.window, width), start=1)
        ]
        if len(lots) < _FEWEST:
            continue
        chosen = sorted(lots)[: max(1, round(SHARE * len(lots)))]
        for number, (part, strokes) in enumerate(zip(parts, numbered, strict=True)):
            part.held[np.isin(strokes, [stroke for _, of, stroke in chosen if of == number])] = True
    return parts


def _places(strokes: np.ndarray, window: Window, width: int) -> list[int]:
    """The place in the image of the first pixel of each stroke, in order of their numbers (h, w), from 1."""
    painted = np.flatnonzero(strokes)
    _, first = np.unique(strokes.ravel()[painted], return_index=True)
    rows, columns = np.divmod(painted[first], window.width)
    return ((rows + window.top) * width + columns + window.left).tolist()


@dataclass(frozen=True)
class Agreement:
    """How a model agrees with strokes; adds up over images.

    Attributes:
        answers: pixels of strokes, by the class that was painted and the one that the model finds there.
        found: pixels around the strokes, painted or not, by the class that the model finds.
    """

    answers: Counter[tuple[str, str]]
    found: Counter[str]

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(self.answers + other.answers, self.found + other.found)

    @property
    def painted(self) -> Counter[str]:
        """Pixels of strokes by class."""
        total: Counter[str] = Counter()
        for (name, _), count in self.answers.items():
            total[name] += count
        return total

    @property
    def pixels(self) -> int:
        """Painted pixels of phases."""
        return sum(count for name, count in self.painted.items() if name != REST_NAMES[0])

    def shares(self) -> dict[str, float]:
        """Of each painted class among the pixels around the strokes, as the model finds them; none is 0."""
        classes = self.painted
        total = sum(self.found[name] for name in classes) + len(classes)
        return {name: (self.found[name] + 1) / total for name in classes}

    def dice(self, shares: Mapping[str, float]) -> float:
        """Mean over the painted phases of their Dice, as if strokes had the classes' shares in the image.

        A person paints each phase about alike often, however rare it is. So strokes hide false finds: of a phase with
        a share of 0.1 that takes half of the strokes, each wrong pixel of the rest stands for nine.

        Args:
            shares: of each painted class.

        Returns:
            NaN where no phase was painted.
        """
        painted = self.painted
        weight = {name: shares[name] / count for name, count in painted.items()}
        scores = []
        for phase in painted.keys() - {REST_NAMES[0]}:
            found = sum(weight[name] * self.answers[name, phase] for name in painted)
            scores.append(2 * weight[phase] * self.answers[phase, phase] / (found + shares[phase]))
        return float(np.mean(scores)) if scores else float("nan")


NO_AGREEMENT = Agreement(Counter(), Counter())


def agreement(image: SeenImage, part: PaintedPart, names: Mapping[int, str]) -> Agreement:
    """How a model agrees with the strokes that are held out in a part of an image.

    Args:
        image: as the model sees it.
        part: with strokes.
        names: of phases and of the rest, by code.
    """
    own = np.array([REST_NAMES[0], *(phase.name for phase in image.model.phases)])
    total = NO_AGREEMENT
    for tile in _tiles(part, image):
        top, left = tile.y - part.window.top, tile.x - part.window.left
        inside = np.s_[top : top + tile.height, left : left + tile.width]
        found = own[decided(image.probability(tile), image.model.thresholds)]
        held = part.held[inside]
        painted = np.array([names.get(code, "") for code in range(256)])[part.codes[inside][held]]
        answers = Counter(zip(painted.tolist(), found[held].tolist(), strict=True))
        total += Agreement(answers, Counter(dict(zip(*np.unique(found, return_counts=True), strict=True))))
    return total


def _tiles(part: PaintedPart, image: SeenImage) -> Sequence[Part]:
    """What is asked of the model, a tile at a time: the imaged pixels around the strokes that are held out."""
    rows, window = image.volume.rows, part.window
    found = []
    first, stop = max(rows.first, window.top), min(rows.stop, window.top + window.height)
    for top in range(first, stop, _SIDE):
        for left in range(window.left, window.left + window.width, _SIDE):
            height, width = min(_SIDE, stop - top), min(_SIDE, window.left + window.width - left)
            y, x = top - window.top, left - window.left
            if part.held[y : y + height, x : x + width].any():
                found.append(Part(0, top, left, height, width))
    return found
