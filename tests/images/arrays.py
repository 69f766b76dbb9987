"""A scan in memory, for tests of what reads from a scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.images import ImageSource, ScanStack
from pipeline.images.microscope import Acquisition
from pipeline.images.volume import ScanVolume


class ArraySource(ImageSource):
    """A grey array (H, W) as a scan; notes the largest window that was read."""

    def __init__(self, pixels: np.ndarray) -> None:
        super().__init__("array.tif", pixels.shape, pixels.dtype, acquisition=Acquisition())
        self.pixels = pixels
        self.largest = 0

    def _read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        self.largest = max(self.largest, height * width)
        return self.pixels[top : top + height, left : left + width].copy()

    def _stored(self) -> dict[str, Any]:
        return {"name": self.path, "bytes": self.pixels.nbytes, "modified": None, "sha256_of_samples": ""}


def volume_of(*slices: np.ndarray) -> ScanVolume:
    """Arrays (H, W) as the slices of a volume."""
    sources = [ArraySource(pixels) for pixels in slices]
    return ScanVolume(ScanStack("array.tif", [lambda s=s: s for s in sources]))
