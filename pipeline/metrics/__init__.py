"""How good a pore mask is."""

from pipeline.metrics.otsu import otsu_mask
from pipeline.metrics.pore_counts import PoreCounts
from pipeline.metrics.pore_metric import PoreMetric
from pipeline.metrics.probability_histogram import ProbabilityHistogram

__all__ = ["PoreCounts", "PoreMetric", "ProbabilityHistogram", "otsu_mask"]
