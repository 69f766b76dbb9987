"""The part of a stack's slices that shows the sample."""

from __future__ import annotations

from pipeline.scan.output import ChunkPlan
from pipeline.scan.rectangles import Roi
from pipeline.scan.volume import ScanVolume


def imaged_region(plan: ChunkPlan, volume: ScanVolume) -> Roi:
    """The segmented region without the rows of an info bar; at least a row high.

    An info bar is part of the output, and holds no pores: no pore would reach the last row.
    """
    region = plan.region
    return region._replace(height=max(1, min(region.height, volume.rows - region.y)))
