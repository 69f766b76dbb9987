"""Grey-level statistics of a micrograph: of all its files, or of a part that is spread over all of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UserError
from pipeline.images.rectangles import sample_windows
from pipeline.images.source import ImageSource


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


class NothingToSee(UserError):
    """All grey values of a scan are the same, or none is of rock."""


def scan_intensity(
    source: ImageSource,
    most_pixels: int = 1 << 24,
    skip: Callable[[int, int, int, int], bool] | None = None,
    imaged: Callable[[int, int, int, int], np.ndarray | None] | None = None,
) -> Intensity:
    """Measure mean and standard deviation of a scan's grey values.

    The scan is divided into cells of whole blocks, as they are stored. Where all cells together have more than
    `most_pixels`, they are grouped into as many rectangles as may be read, and one cell of each is. Which one is
    drawn (always the same), for regular steps may fall in with the fields of a mosaic. One cell is in memory at a
    time.

    Args:
        source: the scan.
        most_pixels: about how many are read; 16 megapixels fix the mean of 8-bit rock to a small part of a grey
            level. One cell is read in any case.
        skip: whether a window (top, left, height, width) is to be left out, as empty ground.
        imaged: which pixels of a window count, (height, width), boolean; None: all of them.

    Raises:
        NothingToSee: all pixels that were read have one value, or all is left out.
        UserError: a value is NaN or infinite, or a part can't be read.
    """
    parts: list[Intensity] = []
    lowest, highest = float("inf"), float("-inf")
    for window in sample_windows(source.shape, source.block, most_pixels):
        if skip is not None and skip(*window):
            continue
        pixels = source.read(*window)
        counted = None if imaged is None else imaged(*window)
        if counted is not None:
            pixels = pixels[counted]
            if not pixels.size:
                continue
        parts.append(Intensity.of(pixels))
        lowest, highest = min(lowest, float(pixels.min())), max(highest, float(pixels.max()))
    if not parts:
        raise NothingToSee(
            f"{source.name}: no rock found, only uniform background; --skip_empty false segments it anyway"
        )
    if lowest == highest:
        pixels_read = sum(part.pixels for part in parts)
        raise NothingToSee(
            f"{source.name}: all of the {pixels_read} pixels read, besides empty ground, have the value {lowest:g}: a "
            "mask, or an empty image? Give the micrograph, or a --roi that shows rock"
        )
    return Intensity.pooled(parts)
