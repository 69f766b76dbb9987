"""Strokes that a training does not see, by which two models are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from scipy.ndimage import label as connected

from pipeline.images.rectangles import Part
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
    """How a model agrees with strokes: counts by phase, which add up over images.

    Attributes:
        counts: of each phase that was painted, or that the model names: pixels of both, of the model, of the strokes.
    """

    counts: Mapping[str, tuple[int, int, int]]

    def __add__(self, other: Agreement) -> Agreement:
        total = dict(self.counts)
        for name, (both, found, there) in other.counts.items():
            own = total.get(name, (0, 0, 0))
            total[name] = (own[0] + both, own[1] + found, own[2] + there)
        return Agreement(total)

    @property
    def pixels(self) -> int:
        """Painted pixels of phases."""
        return sum(painted for *_, painted in self.counts.values())

    @property
    def dice(self) -> float:
        """Mean over the painted phases of their Dice; NaN where none was painted."""
        painted = [(both, found, there) for both, found, there in self.counts.values() if there]
        return (
            float(np.mean([2 * both / (found + there) for both, found, there in painted])) if painted else float("nan")
        )


NO_AGREEMENT = Agreement({})


def agreement(image: SeenImage, codes: np.ndarray, names: Mapping[int, str], where: np.ndarray) -> Agreement:
    """How a model agrees with strokes of an image.

    Args:
        image: as the model sees it.
        codes: (H, W), the strokes.
        names: of phases and of the rest, by code.
        where: (H, W), truth values: the pixels that count.
    """
    model = image.model
    total = NO_AGREEMENT
    for part in _parts(where, image):
        inside = np.s_[part.y : part.y + part.height, part.x : part.x + part.width]
        found = decided(image.probability(part), model.thresholds)
        own = where[inside]
        total += _counted(found[own], [phase.name for phase in model.phases], codes[inside][own], names)
    return total


def _counted(found: np.ndarray, phases: Sequence[str], painted: np.ndarray, names: Mapping[int, str]) -> Agreement:
    counts = {}
    for code, name in names.items():
        there = painted == code
        mine = found == phases.index(name) + 1 if name in phases else np.zeros(len(found), bool)
        counts[name] = (int((there & mine).sum()), int(mine.sum()), int(there.sum()))
    return Agreement({name: count for name, count in counts.items() if name in phases or name != "rest"})


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
