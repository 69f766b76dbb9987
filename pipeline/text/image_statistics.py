"""The statistics of a grey image from which a prompt is written."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.ndimage import gaussian_gradient_magnitude
from skimage.measure import shannon_entropy

from pipeline.text.frame import inside_frame

#: Percentiles of the grey values that become 0 and 1: single hot or dead pixels decide nothing.
_DARK_END, _BRIGHT_END = 0.5, 99.5
#: Grey levels of the histogram behind the entropy: few enough for 8-bit images of low contrast to fill.
LEVELS = 64
#: Standard deviation of the Gaussian of the gradient (px): noise of single pixels is no edge.
_EDGE_SCALE = 1.0
#: A gradient above this, in the grey scale's range per pixel, counts as edge: black to white within about ten pixels.
EDGE_GRADIENT = 0.1
#: Images with more pixels than `_WINDOWS`² windows of `_WINDOW` pixels' side are sampled by such windows.
_WINDOW, _WINDOWS = 512, 4


@dataclass(frozen=True)
class ImageStatistics:
    """The published statistics of a grey image.

    Grey values are on a scale of the image's own: 0 is its 0.5th and 1 its 99.5th percentile, and what lies beyond is
    clipped. So bit depth, brightness and contrast of the detector don't count, as they don't for the network.

    Attributes:
        mean: mean grey value.
        std: standard deviation of the grey values.
        median: median grey value.
        p10: 10th percentile of the grey values.
        p90: 90th percentile of the grey values.
        entropy: Shannon entropy of the histogram of 64 grey levels, in bits: 0 (one level) to 6 (all alike).
        edge_density: share of the pixels, 0 to 1, whose gradient is above 0.1 per pixel.
        gradient_strength: mean magnitude of the gradient, per pixel, of the image smoothed by a Gaussian of 1 pixel.
    """

    LARGEST_ENTROPY: ClassVar[float] = math.log2(LEVELS)

    mean: float
    std: float
    median: float
    p10: float
    p90: float
    entropy: float
    edge_density: float
    gradient_strength: float

    @classmethod
    def of(cls, image: np.ndarray) -> ImageStatistics:
        """Measure the rock in an image; a frame around it is left out.

        Of an image above four megapixels, 16 windows of 512 x 512 pixels, spread evenly, are measured: the memory is
        bounded, and edges and gradients stay those of full resolution. An image of one value gets 0 for everything.

        Args:
            image: (H, W), any real type, finite, without an info bar.
        """
        windows = [window.astype(np.float32) for window in _windows(image[inside_frame(image)])]
        low, high = _ends(np.concatenate([window.ravel() for window in windows]))
        if high <= low:
            return cls(mean=0, std=0, median=0, p10=0, p90=0, entropy=0, edge_density=0, gradient_strength=0)
        for window in windows:
            window -= low
            window /= high - low
            window.clip(0, 1, out=window)
        values = np.concatenate([window.ravel() for window in windows])
        gradients = [gaussian_gradient_magnitude(window, _EDGE_SCALE) for window in windows]
        p10, median, p90 = np.percentile(values, (10, 50, 90))
        return cls(
            mean=float(values.mean()),
            std=float(values.std()),
            median=float(median),
            p10=float(p10),
            p90=float(p90),
            entropy=float(shannon_entropy(np.minimum(values * LEVELS, LEVELS - 1).astype(np.uint8))),
            edge_density=sum(int((gradient > EDGE_GRADIENT).sum()) for gradient in gradients) / values.size,
            gradient_strength=sum(float(gradient.sum()) for gradient in gradients) / values.size,
        )


def _ends(values: np.ndarray) -> tuple[float, float]:
    """The grey values that become 0 and 1."""
    low, high = np.percentile(values, (_DARK_END, _BRIGHT_END))
    if high <= low:  # nearly all pixels are equal: the few others decide
        low, high = values.min(), values.max()
    return float(low), float(high)


def _windows(image: np.ndarray) -> Iterator[np.ndarray]:
    """The whole image, or windows spread evenly over a large one."""
    if image.size <= (_WINDOW * _WINDOWS) ** 2:
        yield image
        return
    height, width = (min(side, _WINDOW) for side in image.shape)
    for top in np.linspace(0, image.shape[0] - height, _WINDOWS).astype(int):
        for left in np.linspace(0, image.shape[1] - width, _WINDOWS).astype(int):
            yield image[top : top + height, left : left + width]
