"""Masks that look shifted, stretched, inverted, or made for another image: those of a data set that don't fit.

Whether a phase is darker or brighter than its surroundings, most of a data set's masks say, and one that is neither is
not judged; pores are dark. The quality of a mask is not judged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.data.label_fit import CHANGING, INVERTED, SHIFTED, UNFIT, LabelFit, doubt_kind, fit_label
from pipeline.data.samples import Sample
from pipeline.phases import PORE, UNLABELLED

#: of a data set's masks of a phase: those of clearly dark or bright phases have 6 to 13, of others 1 to 2
_LEAST_CONTRAST = 4.0  # median of the correlations, in units of noise
_LEAST_AGREEING = 0.8  # share of the masks on one side
_LEAST_LABELLED = 0.5  # share of an image; between strokes there is no outline that could fit


@dataclass(frozen=True)
class LabelDoubt:
    """A mask that does not look right on its image.

    Attributes:
        sample: Whose mask it is.
        kind: `SHIFTED`, `CHANGING` (stretched, sheared, drifting), `INVERTED` or `UNFIT`.
        fit: What was measured.
        phase: Whose mask it is, by name.
        bright: Whether this phase is brighter than its surroundings in most masks.
    """

    sample: Sample
    kind: str
    fit: LabelFit
    phase: str = PORE
    bright: bool = False

    def __str__(self) -> str:
        values = self.sample.values
        name = self.sample.label.name + (f" ({self.phase})" if len(values.phases) > 1 else "")
        if self.kind == INVERTED and self.phase == PORE:
            option = "--pore_label" if values.pores_only else "--phases"
            return (
                f"{name} looks inverted: what it marks as pore is brighter than its surroundings; "
                f"is another value pore ({option})?"
            )
        if self.kind == INVERTED:
            this, others = ("darker", "brighter") if self.bright else ("brighter", "darker")
            return (
                f"{name} looks inverted: what it marks as {self.phase} is {this} than its surroundings, and {others} "
                "in the other masks; do its values mean the same?"
            )
        if self.kind == UNFIT:
            return f"{name} does not match its image at any position; was it made for another image, or rotated?"
        if self.kind == SHIFTED:
            return f"{name} looks shifted: it fits its image when moved by {_move(self.fit.corners.mean(axis=0))}"
        upper_left, upper_right, lower_left, lower_right = map(_move, self.fit.corners)
        return (
            f"{name} looks stretched, sheared or drifting: it fits its image when its upper left corner is moved by "
            f"{upper_left}, the upper right by {upper_right}, the lower left by {lower_left} and the lower right by "
            f"{lower_right}"
        )


def check_labels(samples: Sequence[Sample]) -> list[LabelDoubt]:
    """Compare each mask of each phase with its image.

    Some 15 ms for an image of 400 x 343 pixels on one core, and the reading of it; threads share the work.

    Args:
        samples: Of any split.

    Returns:
        The masks that look wrong, the worst first: inverted, unfit, then by the largest displacement.

    Raises:
        UserError: A file can't be read.
    """
    sides = {
        (dataset, phase): _is_bright([sample for sample in samples if sample.dataset == dataset], phase)
        for dataset in dict.fromkeys(sample.dataset for sample in samples)
        for phase in {name: None for sample in samples if sample.dataset == dataset for name in sample.phase_pixels}
    }
    judged = [
        (sample, phase, bright)
        for sample in samples
        for phase in sample.phase_pixels
        if (bright := sides[sample.dataset, phase]) is not None and _can_be_judged(sample, phase)
    ]

    def doubt(one: tuple[Sample, str, bool]) -> LabelDoubt | None:
        sample, phase, bright = one
        fit = fit_label(sample.read_image(), phase_mask(sample, phase), bright)
        kind = doubt_kind(fit) if fit else None
        return LabelDoubt(sample, kind, fit, phase, bright) if fit and kind else None

    doubts = [found for found in _by_threads(doubt, judged) if found]
    order = {INVERTED: 0, UNFIT: 1, CHANGING: 2, SHIFTED: 2}
    return sorted(doubts, key=lambda found: (order[found.kind], -found.fit.largest))


def _by_threads(task: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(task, arguments))


def _can_be_judged(sample: Sample, phase: str) -> bool:
    return 0 < sample.phase_pixels[phase] < sample.labelled and sample.labelled >= _LEAST_LABELLED * sample.pixels


def phase_mask(sample: Sample, phase: str) -> np.ndarray:
    """A phase in a sample's label, (H, W): 1 or 0; where it is not known, its share of the labelled pixels."""
    codes = sample.read_codes([phase])
    if sample.labelled == sample.pixels:
        return codes == 1
    return np.where(codes == UNLABELLED, np.float32(sample.areas[phase]), codes)


def _is_bright(samples: Sequence[Sample], phase: str) -> bool | None:
    """Whether most masks of a phase are brighter than their surroundings; None where they are neither."""
    if phase == PORE:
        return False
    judged = [sample for sample in samples if _can_be_judged(sample, phase)]
    fits = _by_threads(lambda sample: fit_label(sample.read_image(), phase_mask(sample, phase)), judged)
    contrast = np.array([fit.as_is / fit.noise for fit in fits if fit is not None])
    if not len(contrast) or abs(np.median(contrast)) < _LEAST_CONTRAST:
        return None
    bright = bool(np.median(contrast) < 0)
    return bright if np.mean((contrast < 0) == bright) >= _LEAST_AGREEING else None


def _move(displacement: np.ndarray) -> str:
    dy, dx = (round(float(part)) for part in displacement)
    parts = [f"{abs(dx)} px {'right' if dx > 0 else 'left'}"] if dx else []
    parts += [f"{abs(dy)} px {'down' if dy > 0 else 'up'}"] if dy else []
    return " and ".join(parts) or "0 px"
