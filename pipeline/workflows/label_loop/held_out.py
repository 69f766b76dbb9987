"""Strokes that a training does not see, by which two models are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy.ndimage import label as connected

from pipeline.images.rectangles import Part
from pipeline.label_values import REST_NAMES
from pipeline.phases import decided
from pipeline.workflows.label_loop.seen_image import SeenImage

#: share of the strokes of a class that is held out, and how many it needs for that
SHARE, _FEWEST = 0.2, 3
_EIGHT = np.ones((3, 3), int)
#: side of what is asked of a model at once (px)
_SIDE = 512


def held_out(codes: np.ndarray, name: str = "") -> np.ndarray:
    """Which painted pixels (H, W) are held out: whole strokes, some of each class that has a few.

    The lot of a stroke falls by its place, so that it stays when others are added: what the model before has learned
    from would judge in its favour.

    Args:
        codes: (H, W), 0 where nothing was painted.
        name: of the image.
    """
    chosen = np.zeros(codes.shape, bool)
    for code in np.unique(codes[codes > 0]):
        strokes, count = connected(codes == code, _EIGHT)
        if count >= _FEWEST:
            _, first = np.unique(strokes, return_index=True)
            lots = [crc32(f"{name} {place}".encode()) for place in first[1:]]  # 0 is what lies between strokes
            chosen |= np.isin(strokes, np.argsort(lots)[: max(1, round(SHARE * count))] + 1)
    return chosen


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


def agreement(image: SeenImage, codes: np.ndarray, names: Mapping[int, str], where: np.ndarray) -> Agreement:
    """How a model agrees with strokes of an image.

    Args:
        image: as the model sees it.
        codes: (H, W), the strokes.
        names: of phases and of the rest, by code.
        where: (H, W), truth values: the pixels that count.
    """
    own = np.array([REST_NAMES[0], *(phase.name for phase in image.model.phases)])
    total = NO_AGREEMENT
    for part in _parts(where, image):
        inside = np.s_[part.y : part.y + part.height, part.x : part.x + part.width]
        found = own[decided(image.probability(part), image.model.thresholds)]
        painted = np.array([names.get(code, "") for code in range(256)])[codes[inside][where[inside]]]
        answers = Counter(zip(painted.tolist(), found[where[inside]].tolist(), strict=True))
        total += Agreement(answers, Counter(dict(zip(*np.unique(found, return_counts=True), strict=True))))
    return total


def _parts(where: np.ndarray, image: SeenImage) -> list[Part]:
    """Parts of an image that hold such pixels."""
    rows = image.volume.rows
    found = []
    for top in range(rows.first, rows.stop, _SIDE):
        for left in range(0, where.shape[1], _SIDE):
            height, width = min(_SIDE, rows.stop - top), min(_SIDE, where.shape[1] - left)
            if where[top : top + height, left : left + width].any():
                found.append(Part(0, top, left, height, width))
    return found
