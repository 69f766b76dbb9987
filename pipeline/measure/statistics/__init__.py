"""Statistics of the pores of a segmented scan."""

from __future__ import annotations

from pipeline.measure.statistics.chords import ChordCounter, Chords
from pipeline.measure.statistics.orientation import OrientationRose, orientation_rose
from pipeline.measure.statistics.representative_area import RepresentativeArea, representative_area
from pipeline.measure.statistics.size_distribution import (
    SizeDistribution,
    size_distribution,
    weighted_quantile,
    weighted_quantiles,
)
from pipeline.measure.statistics.survey import Survey, survey
from pipeline.measure.statistics.two_point import TwoPoint, TwoPointCounter, lags_up_to

__all__ = [
    "ChordCounter",
    "Chords",
    "OrientationRose",
    "RepresentativeArea",
    "SizeDistribution",
    "Survey",
    "TwoPoint",
    "TwoPointCounter",
    "lags_up_to",
    "orientation_rose",
    "representative_area",
    "size_distribution",
    "survey",
    "weighted_quantile",
    "weighted_quantiles",
]
