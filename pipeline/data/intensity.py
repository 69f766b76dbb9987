"""Grey-level statistics of a micrograph, also where it comes in several files."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Intensity:
    """Mean and standard deviation of grey values.

    Attributes:
        pixels: number of pixels they were taken over.
        mean: in the image's own grey levels.
        std: likewise; 0 for an image of one value.
    """

    pixels: int
    mean: float
    std: float

    @classmethod
    def of(cls, image: np.ndarray) -> Intensity:
        """Measure one image, of any shape and real type."""
        return cls(image.size, float(image.mean(dtype=np.float64)), float(image.std(dtype=np.float64)))

    @classmethod
    def pooled(cls, parts: Iterable[Intensity]) -> Intensity:
        """The statistics of all parts' pixels together, exactly: E[x²] - E[x]² over the parts' own moments."""
        parts = list(parts)
        pixels = sum(part.pixels for part in parts)
        mean = sum(part.pixels * part.mean for part in parts) / pixels
        variance = sum(part.pixels * (part.std**2 + (part.mean - mean) ** 2) for part in parts) / pixels
        return cls(pixels, mean, math.sqrt(variance))
