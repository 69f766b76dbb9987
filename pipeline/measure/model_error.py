"""How far a model's area fractions are from the truth on unseen micrographs, and the interval that follows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import t as student

#: with fewer sources, nothing is known of how micrographs differ
LEAST_SOURCES = 2
CONFIDENCE = 0.95


@dataclass(frozen=True)
class ModelError:
    """Of the area fraction of one phase.

    Area fractions p are compared as angles a(p) = asin(sqrt(p)), whose spread hardly depends on p (the usual
    variance-stabilising transform of proportions; M. S. Bartlett, Biometrics 3 (1947) 39), and which keep intervals
    within 0 and 1.

    Attributes:
        spread: root mean square over the sources of a(true) - a(found), radians.
        sources: number of micrographs that it comes from.
        absolute: mean over the images of |true - found|.
        images: their number.
    """

    spread: float
    sources: int
    absolute: float
    images: int

    @classmethod
    def of(cls, images: Iterable[Mapping[str, Any]]) -> ModelError | None:
        """From images that the model was not trained on.

        With the pixels of all images of a source s together, found is F_s and true is T_s, and

            e_s = a(T_s) - a(F_s),    r = sqrt(sum_s e_s² / n) over n sources.

        Images of a source are no independent samples of how micrographs differ, so each source counts once.

        Args:
            images: `source`, `found` and `true` (area fractions) and `pixels` of each image.

        Returns:
            None with fewer than two sources.
        """
        found: dict[str, float] = defaultdict(float)
        true: dict[str, float] = defaultdict(float)
        pixels: dict[str, float] = defaultdict(float)
        off = []
        for image in images:
            source, weight = str(image["source"]), float(image["pixels"])
            found[source] += weight * float(image["found"])
            true[source] += weight * float(image["true"])
            pixels[source] += weight
            off.append(abs(float(image["true"]) - float(image["found"])))
        if len(pixels) < LEAST_SOURCES:
            return None
        errors = [_angle(true[source] / area) - _angle(found[source] / area) for source, area in pixels.items()]
        spread = math.sqrt(math.fsum(error**2 for error in errors) / len(errors))
        return cls(spread, len(errors), math.fsum(off) / len(off), len(off))

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval of a further source's error, radians.

        It is t r, with Student's t for n degrees of freedom, as r is about zero and not about the sources' mean.
        """
        return float(student.ppf((1 + CONFIDENCE) / 2, self.sources)) * self.spread

    def interval(self, fraction: float, low: float, high: float) -> tuple[float, float]:
        """95 % interval of an area fraction, of sampling and model together.

        Both errors are independent, so their half-widths add as squares:

            a(low') = a(p) - sqrt((a(p) - a(low))² + m²),    a(high') = a(p) + sqrt((a(high) - a(p))² + m²),    m = t r.

        Args:
            fraction: p, as it was found.
            low: lower end of the interval from field to field; NaN: of the model's error alone.
            high: upper end, likewise.
        """
        middle = _angle(fraction)
        below, above = (0.0 if math.isnan(end) else middle - _angle(end) for end in (low, high))
        first = max(0.0, middle - math.hypot(below, self.half_width))
        last = min(math.pi / 2, middle + math.hypot(above, self.half_width))
        return math.sin(first) ** 2, math.sin(last) ** 2

    def to_dict(self) -> dict[str, Any]:
        """As manifests have it."""
        return {**vars(self), "half_width_95": self.half_width}


def _angle(fraction: float) -> float:
    """a(p), radians."""
    return math.asin(math.sqrt(min(1.0, max(0.0, fraction))))
