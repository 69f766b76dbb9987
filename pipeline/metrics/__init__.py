"""How good a pore mask is."""

from pipeline.metrics.boundary_counts import BoundaryCounts
from pipeline.metrics.calibration import Calibration
from pipeline.metrics.cl_dice import CentrelineCounts
from pipeline.metrics.pore_counts import PoreCounts
from pipeline.metrics.pore_metric import PoreMetric
from pipeline.metrics.pore_objects import PoreObjects, SmallPores, TruePores
from pipeline.metrics.pore_scores import PoreScores, Tolerances
from pipeline.metrics.threshold import ProbabilityHistogram, otsu_mask

__all__ = [
    "BoundaryCounts",
    "Calibration",
    "CentrelineCounts",
    "PoreCounts",
    "PoreMetric",
    "PoreObjects",
    "PoreScores",
    "ProbabilityHistogram",
    "SmallPores",
    "Tolerances",
    "TruePores",
    "otsu_mask",
]
