"""A prompt by rule: one sentence on the pores of an image, from its statistics alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar

import numpy as np
from scipy.ndimage import gaussian_gradient_magnitude
from skimage.measure import shannon_entropy

#: A line of pixels in which one value takes more than this share is drawn, not seen by a microscope: even a saturated
#: micrograph has noise.
_DRAWN = 0.5

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


def inside_frame(image: np.ndarray) -> tuple[slice, slice]:
    """Leave out the rows and columns at the borders of an image that hold one value for the most part.

    Args:
        image: (H, W), any real type, without an info bar.

    Returns:
        The rows and the columns that are left; all of them where none would be.
    """
    rows = _inner(image)
    columns = _inner(image[rows].T)
    return rows, columns


def _inner(lines: np.ndarray) -> slice:
    """The lines (L, P) without those at both ends that are drawn; all where none would be left."""
    first = _drawn_lines(lines)
    last = _drawn_lines(lines[::-1])
    return slice(first, len(lines) - last) if first + last < len(lines) else slice(0, len(lines))


def _drawn_lines(lines: np.ndarray) -> int:
    """How many lines at the beginning are drawn."""
    for number, line in enumerate(lines):
        _, counts = np.unique(line, return_counts=True)
        if counts.max() <= _DRAWN * line.size:
            return number
    return len(lines)


@dataclass(frozen=True)
class ImageStatistics:
    """The published statistics of a grey image.

    Grey values are on a scale of the image's own: 0 is its 0.5th and 1 its 99.5th percentile, and what lies beyond is
    clipped. So bit depth, brightness and contrast of the detector don't count, as they don't for the network.

    Attributes:
        mean, std, median: of the grey values, with their standard deviation.
        p10, p90: 10th and 90th percentile of the grey values.
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


@dataclass(frozen=True)
class Rule:
    """Turns one number into words.

    Attributes:
        measure: what is looked at.
        steps: limits in rising order, each with the words for what lies below it.
        above: the words for what lies above the last limit.
    """

    measure: Callable[[ImageStatistics], float]
    steps: tuple[tuple[float, str], ...]
    above: str

    def words(self, statistics: ImageStatistics) -> str:
        """The words for an image."""
        value = self.measure(statistics)
        return next((words for limit, words in self.steps if value < limit), self.above)


def dark_tail(statistics: ImageStatistics) -> float:
    """Share of the 10th to 90th percentile's range that lies below the median, 0 to 1.

    Grey values that are as often dark as bright give 0.5. Pores are dark: many of them stretch the dark side.
    """
    spread = statistics.p90 - statistics.p10
    return (statistics.median - statistics.p10) / spread if spread else 0.5


def structure_length(statistics: ImageStatistics) -> float:
    """Length in pixels over which the grey value typically changes: standard deviation over mean gradient."""
    return statistics.std / statistics.gradient_strength if statistics.gradient_strength else 0.0


def crowding(statistics: ImageStatistics) -> float:
    """Dark tail and edges together, 0 to 1: many dark areas with much outline are the likeliest to touch."""
    return dark_tail(statistics) * min(1.0, statistics.edge_density / FULL_OF_EDGES)


def evenness(statistics: ImageStatistics) -> float:
    """Entropy as a share of its largest value, 0 (one grey level) to 1 (all equally often)."""
    return statistics.entropy / ImageStatistics.LARGEST_ENTROPY


#: Edge density of a micrograph that is full of outlines.
FULL_OF_EDGES = 0.1

# The limits are round numbers, set by eye: on a few dozen micrographs of mudrock and shale, of 0.1 to 17 % pore, each
# of the words occurs. None was fitted to a measured porosity, size or shape: where pores are few, dark minerals and
# organic matter decide these statistics. Hence the hedges in the sentence.
DENSITY = Rule(dark_tail, ((0.45, "few"), (0.55, "sparse"), (0.65, "moderately dense")), "dense")
SIZE = Rule(structure_length, ((4.5, "small"), (7.0, "small to medium")), "medium to large")
SHAPE = Rule(
    attrgetter("edge_density"),
    ((0.02, "rounded, weak-edged"), (0.08, "irregular")),
    "irregular to elongated, sharp-edged",
)
CONNECTIVITY = Rule(crowding, ((0.2, "isolated"), (0.5, "weakly connected")), "partly connected")
HETEROGENEITY = Rule(evenness, ((0.7, "fairly uniform"), (0.8, "moderately heterogeneous")), "heterogeneous")

NO_CONTRAST = "A scanning electron micrograph of rock without contrast, in which no pores can be told apart."


def write_prompt(statistics: ImageStatistics) -> str:
    """Describe density, size, shape, connectivity and heterogeneity in one sentence.

    The words are hints that the grey levels give, not measurements, and the sentence says so. It stays below half of
    CLIP's 77 tokens.
    """
    if statistics.std == 0:
        return NO_CONTRAST
    density, size, shape, connectivity, heterogeneity = (
        rule.words(statistics) for rule in (DENSITY, SIZE, SHAPE, CONNECTIVITY, HETEROGENEITY)
    )
    return (
        f"A scanning electron micrograph of rock whose grey levels suggest {density}, {size} pores, "
        f"probably {shape} and {connectivity}, in a {heterogeneity} matrix."
    )
