"""How good a pore mask is."""

from pipeline.metrics.boundary_counts import BoundaryCounts
from pipeline.metrics.calibration import Calibration
from pipeline.metrics.cl_dice import CentrelineCounts
from pipeline.metrics.otsu import otsu_mask
from pipeline.metrics.pore_counts import PoreCounts
from pipeline.metrics.pore_metric import PoreMetric
from pipeline.metrics.pore_objects import PoreObjects
from pipeline.metrics.pore_scores import PoreScores, Tolerances
from pipeline.metrics.probability_histogram import ProbabilityHistogram
from pipeline.metrics.seam import Seam
from pipeline.metrics.true_pores import SmallPores, TruePores

__all__ = [
    "BoundaryCounts",
    "Calibration",
    "CentrelineCounts",
    "PoreCounts",
    "PoreMetric",
    "PoreObjects",
    "PoreScores",
    "ProbabilityHistogram",
    "Seam",
    "SmallPores",
    "Tolerances",
    "TruePores",
    "otsu_mask",
]
