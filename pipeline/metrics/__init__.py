"""How good a pore mask is."""

from pipeline.metrics.cl_dice import CentrelineCounts
from pipeline.metrics.otsu import otsu_mask
from pipeline.metrics.pore_counts import PoreCounts
from pipeline.metrics.pore_metric import PoreMetric
from pipeline.metrics.probability_histogram import ProbabilityHistogram
from pipeline.metrics.seam import Seam

__all__ = ["CentrelineCounts", "PoreCounts", "PoreMetric", "ProbabilityHistogram", "Seam", "otsu_mask"]
