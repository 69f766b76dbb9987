"""Statistics of the pores of a segmented scan."""

from __future__ import annotations

from pipeline.rock.chords import ChordCounter, Chords
from pipeline.rock.orientation import OrientationRose, orientation_rose
from pipeline.rock.representative_area import RepresentativeArea, representative_area
from pipeline.rock.size_distribution import SizeDistribution, size_distribution, weighted_quantile, weighted_quantiles
from pipeline.rock.survey import Survey, survey
from pipeline.rock.two_point import TwoPoint, TwoPointCounter, lags_up_to

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
