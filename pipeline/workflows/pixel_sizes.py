"""Pixel sizes of a data set's images, where their files tell them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.data import Sample
from pipeline.errors import UserError
from pipeline.scan.sources import open_scan

#: formats that can tell it; a PNG's or JPEG's is a printer's resolution
_FORMATS = (".tif", ".tiff", ".nii", ".nii.gz")


def pixel_sizes(samples: Sequence[Sample]) -> dict[str, float]:
    """Side of a pixel (nm; of one that is no square, of the square of equal area) by the image's name."""
    sizes = {}
    for sample in samples:
        if not sample.image.name.lower().endswith(_FORMATS):
            continue
        try:
            source = open_scan(sample.image)
        except UserError:  # it was read as an image: only its size is not known
            continue
        if source.pixel_size_nm is not None:
            sizes[sample.name] = math.sqrt(math.prod(source.pixel_size_nm))
    return sizes
