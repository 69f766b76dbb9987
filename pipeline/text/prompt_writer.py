"""A prompt by rule: one sentence on the pores of an image, from its statistics alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.text.image_statistics import ImageStatistics


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


def edge_density(statistics: ImageStatistics) -> float:
    """As in `ImageStatistics`."""
    return statistics.edge_density


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
    edge_density,
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
