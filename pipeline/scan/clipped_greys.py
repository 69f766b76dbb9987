"""Grey values of a scan with blank ground, whose own value may lie far from all that is rock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.scan.greys import Greys


@dataclass(frozen=True)
class ClippedGreys(Greys):
    """Greys that take blank ground for the darkest or brightest rock.

    A network's windows reach over the edge of the rock. There, -9999 would be hundreds of standard deviations away, and
    change what is found in the rock beside it. Rock is left as it is.

    Attributes:
        limits: the lowest and highest grey value of the rock.
    """

    limits: tuple[float, float] = (-np.inf, np.inf)

    def normalised(
        self, pixels: np.ndarray, slice_: int, top: int, left: int, scale: tuple[float, float] = (1.0, 1.0)
    ) -> np.ndarray:
        """See `Greys.normalised`."""
        low, high = (pixels.dtype.type(limit) for limit in self.limits)
        return super().normalised(np.clip(pixels, low, high), slice_, top, left, scale)
