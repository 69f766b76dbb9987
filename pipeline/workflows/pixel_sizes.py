"""Pixel sizes of a data set's images, if their files give them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pipeline.data import DatasetIndex, Sample
from pipeline.microscope import read_acquisition
from pipeline.microscope.pixel_side import mean_side

logger = logging.getLogger("vlsenet")


def pixel_sizes(samples: Sequence[Sample]) -> dict[str, float]:
    """Side of a pixel (nm) by the image's name; for a pixel that is not square, of the square of equal area."""
    sizes = {}
    for sample in samples:
        size = read_acquisition(sample.image).pixel_size_nm
        if size is not None:
            sizes[sample.name] = mean_side(size)
    return sizes


def trained_pixel_sizes(index: DatasetIndex, given_nm: float | None = None) -> list[float]:
    """The pixel sizes (nm) of a data set's training images, each once, in ascending order.

    Args:
        index: the data set.
        given_nm: of all its images, as given by the user; None: as their files say.

    Returns:
        Empty if they are not known.
    """
    if given_nm is not None:
        return [float(given_nm)]
    images = index.select("train")
    found = pixel_sizes(images)
    if not found:
        logger.info("the pixel size of the training images is not known: the model will not resample scans")
    elif len(found) < len(images):
        logger.warning("%d of %d training images have no known pixel size", len(images) - len(found), len(images))
    return sorted({round(size, 4) for size in found.values()})
