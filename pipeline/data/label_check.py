"""Masks that look shifted, stretched, inverted, or made for another image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pipeline.data.label_fit import LabelFit, fit_label
from pipeline.data.samples import Sample

SHIFTED, CHANGING, INVERTED, UNFIT = "shifted", "shifted by changing amounts", "inverted", "unfit"

# Set on the 53 tiles of nankai (right as they are: no doubt; with planted errors: 9 of 10 found)
_LEAST_DISPLACEMENT = 2.0  # pixels: hands and segmentation programs differ by one
_LEAST_RATIO = 1.08  # of the correlations with and without the displacement
_LEAST_GAIN = 0.4  # in units of noise
_CLEAR = 4.0  # a correlation, in units of noise, that no unrelated mask reaches
_CLEARLY_NEGATIVE = 3.0
_NEGATIVE_RATIO = 1.5
_NO_FIT = 1.5


@dataclass(frozen=True)
class LabelDoubt:
    """A mask that does not look right on its image.

    Attributes:
        sample: Whose mask it is.
        kind: `SHIFTED`, `CHANGING` (stretched, sheared, drifting), `INVERTED` or `UNFIT`.
        fit: What was measured.
    """

    sample: Sample
    kind: str
    fit: LabelFit

    def __str__(self) -> str:
        name = self.sample.label.name
        if self.kind == INVERTED:
            return (
                f"{name} looks inverted: what it marks as pore is brighter than its surroundings; "
                "is another value pore (--pore_label)?"
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


def doubt_kind(fit: LabelFit) -> str | None:
    """What is wrong with a mask; None where it looks right, or where too little is to be seen."""
    if -fit.lowest > max(_NEGATIVE_RATIO * fit.highest, _CLEARLY_NEGATIVE * fit.noise):
        return INVERTED
    gain = fit.displaced - fit.as_is
    displaced = (
        fit.largest >= _LEAST_DISPLACEMENT
        and fit.displaced > _CLEAR * fit.noise
        and fit.displaced > _LEAST_RATIO * fit.as_is
        and gain > _LEAST_GAIN * fit.noise
    )
    if displaced:
        return CHANGING if fit.varying >= _LEAST_DISPLACEMENT else SHIFTED
    return UNFIT if fit.as_is < _NO_FIT * fit.noise else None


def check_labels(samples: Sequence[Sample], pore_label: int) -> list[LabelDoubt]:
    """Compare each mask with its image.

    Some 15 ms for an image of 400 x 343 pixels on one core, and the reading of it; threads share the work.

    Args:
        samples: Of any split.
        pore_label: The label value that means pore.

    Returns:
        The masks that look wrong, the worst first: inverted, unfit, then by the largest displacement.

    Raises:
        UserError: A file can't be read.
    """

    def doubt(sample: Sample) -> LabelDoubt | None:
        if not 0 < sample.porosity < 1:
            return None
        fit = fit_label(sample.read_image(), sample.read_label() == pore_label)
        kind = doubt_kind(fit) if fit else None
        return LabelDoubt(sample, kind, fit) if fit and kind else None

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        doubts = [found for found in pool.map(doubt, samples) if found]
    order = {INVERTED: 0, UNFIT: 1, CHANGING: 2, SHIFTED: 2}
    return sorted(doubts, key=lambda found: (order[found.kind], -found.fit.largest))


def _move(displacement: np.ndarray) -> str:
    dy, dx = (round(float(part)) for part in displacement)
    parts = [f"{abs(dx)} px {'right' if dx > 0 else 'left'}"] if dx else []
    parts += [f"{abs(dy)} px {'down' if dy > 0 else 'up'}"] if dy else []
    return " and ".join(parts) or "0 px"
