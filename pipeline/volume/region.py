"""The part of a stack's slices that shows the sample."""

from __future__ import annotations

from pipeline.scan.output import ChunkPlan
from pipeline.scan.volume import ScanVolume


def imaged_region(plan: ChunkPlan, volume: ScanVolume) -> tuple[int, int, int, int]:
    """The segmented region without the rows of an info bar: x, y, width, height (px); at least a row high.

    An info bar is part of the output, and holds no pores: no pore would reach the last row.
    """
    x, y, width, height = plan.region
    return x, y, width, max(1, min(height, volume.rows - y))
