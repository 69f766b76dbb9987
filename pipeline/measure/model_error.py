"""How far a model's area fractions are from the truth on unseen micrographs, and the interval that follows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.stats import t as student

#: below this area fraction, errors are counted as if it were this: relative ones mean nothing there
LEAST = 0.005
#: with fewer sources, nothing is known of how micrographs differ
LEAST_SOURCES = 2
CONFIDENCE = 0.95


@dataclass(frozen=True)
class ModelError:
    """Of the area fraction of one phase.

    Attributes:
        relative: root mean square over the sources of (true - found) / found.
        sources: number of micrographs that it comes from.
        absolute: mean over the images of |true - found|.
        images: their number.
    """

    relative: float
    sources: int
    absolute: float
    images: int

    @classmethod
    def of(cls, images: Iterable[Mapping[str, Any]]) -> ModelError | None:
        """From images that the model was not trained on.

        With the pixels of all images of a source s together, found is F_s and true is T_s, and

            e_s = (T_s - F_s) / max(F_s, 0.005),    r = sqrt(sum_s e_s² / n) over n sources.

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
        errors = [
            (true[source] - found[source]) / max(found[source], LEAST * weight) for source, weight in pixels.items()
        ]
        relative = math.sqrt(math.fsum(error**2 for error in errors) / len(errors))
        return cls(relative, len(errors), math.fsum(off) / len(off), len(off))

    @property
    def half_width(self) -> float:
        """Half of the 95 % interval of a further source's error, relative: t r, with Student's t for n degrees of
        freedom, as r is about zero and not about the sources' mean."""
        return float(student.ppf((1 + CONFIDENCE) / 2, self.sources)) * self.relative

    def interval(self, fraction: float, low: float, high: float) -> tuple[float, float]:
        """95 % interval of an area fraction, of sampling and model together.

        Both errors are independent, so their half-widths add as squares:

            low'  = p - sqrt((p - low)² + m²),    high' = p + sqrt((high - p)² + m²),    m = t r max(p, 0.005),

        cut to 0..1.

        Args:
            fraction: p, as it was found.
            low: lower end of the interval from field to field; NaN: of the model's error alone.
            high: upper end, likewise.
        """
        model = self.half_width * max(fraction, LEAST)
        below, above = (0.0 if math.isnan(end) else abs(fraction - end) for end in (low, high))
        return max(0.0, fraction - math.hypot(below, model)), min(1.0, fraction + math.hypot(above, model))

    def to_dict(self) -> dict[str, Any]:
        """As manifests have it."""
        return {**vars(self), "relative_half_width_95": self.half_width}
