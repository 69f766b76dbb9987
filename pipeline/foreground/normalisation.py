"""Grey values of a scan as the network takes them: mean 0 and spread 1 over its rock, equally bright everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.foreground.intensity import Intensity
from pipeline.foreground.shading import Shading


@dataclass(frozen=True)
class GreyNormalisation:
    """How grey values of a scan are normalised.

    Attributes:
        intensity: at the network's scale, of the whole scan, all slices together: what is dark in one slice stays
            dark beside the others.
        shading: of each slice, to be removed; empty: it is left in.
        both: the network sees the image twice, with its shading removed and left in: what is right for pores takes
            the grey of a large phase for shading.
        limits: the lowest and highest grey value of the rock of a scan with blank ground, which is taken for the
            darkest or brightest rock; None: there is none.
    """

    intensity: Intensity
    shading: tuple[Shading, ...] = ()
    limits: tuple[float, float] | None = None
    both: bool = False

    @property
    def drift(self) -> tuple[float, float] | None:
        """Brightness of the rock where it is darkest and brightest, in standard deviations above the mean."""
        if not self.shading:
            return None
        lowest = min(float(shading.levels.min()) for shading in self.shading)
        return lowest, max(float(shading.levels.max()) for shading in self.shading)

    def clipped(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels with blank ground no darker and no brighter than the rock, which is left as it is.

        Windows and pictures reach over the edge of the rock. There, -9999 would be hundreds of standard deviations
        away, and change what a network finds in the rock beside it.
        """
        if self.limits is None:
            return pixels
        low, high = (pixels.dtype.type(limit) for limit in self.limits)
        return np.clip(pixels, low, high)

    def normalised(
        self, pixels: np.ndarray, slice_: int, top: int, left: int, scale: tuple[float, float] = (1.0, 1.0)
    ) -> np.ndarray:
        """Mean 0 and spread 1 over the scan, and the rock equally bright everywhere.

        Args:
            pixels: a window (H, W).
            slice_: which it is of.
            top: its first row, at its own scale.
            left: its first column.
            scale: pixels of the window to one of the scan, along rows and columns.

        Returns:
            (H, W), float32.
        """
        grey = self.with_shading(pixels)
        return self.shading[slice_].flatten(grey, top, left, scale) if self.shading else grey

    def network_input(
        self, pixels: np.ndarray, slice_: int, top: int, left: int, scale: tuple[float, float] = (1.0, 1.0)
    ) -> np.ndarray:
        """What the network sees of a window: `normalised` and, if `both`, the same with its shading left in.

        The arguments are those of `normalised`.

        Returns:
            (C, H, W), float32, C = 2 for both.
        """
        channels = [self.normalised(pixels, slice_, top, left, scale)]
        if self.both:
            channels.append(self.with_shading(pixels))
        return np.stack(channels)

    def with_shading(self, pixels: np.ndarray) -> np.ndarray:
        """Mean 0 and spread 1 over the scan, its shading left in, of pixels (H, W), float32."""
        grey = self.clipped(pixels).astype(np.float32)
        grey -= np.float32(self.intensity.mean)
        grey /= np.float32(self.intensity.std)
        return grey
