"""How good a pore mask is."""

from pipeline.metrics.otsu import otsu_mask
from pipeline.metrics.pore_counts import PoreCounts
from pipeline.metrics.pore_metric import PoreMetric

__all__ = ["PoreCounts", "PoreMetric", "otsu_mask"]
