"""The pores of a segmented stack as bodies in space."""

from __future__ import annotations

from pipeline.measure.volume.alignment import SliceShifts, slice_shifts
from pipeline.measure.volume.connectivity import AxisConnectivity, Connectivity, connectivity
from pipeline.measure.volume.figure import write_volume_figure
from pipeline.measure.volume.label import LABELS, label_volume, write_labels
from pipeline.measure.volume.measure import VOLUME_FIGURE, VOLUME_FILES, StackSummary, measure_stack
from pipeline.measure.volume.table import VOLUME_CSV, VOLUME_PARQUET, Voxel, volume_columns, write_volume_table

__all__ = [
    "LABELS",
    "VOLUME_CSV",
    "VOLUME_FIGURE",
    "VOLUME_FILES",
    "VOLUME_PARQUET",
    "AxisConnectivity",
    "Connectivity",
    "SliceShifts",
    "StackSummary",
    "Voxel",
    "connectivity",
    "label_volume",
    "measure_stack",
    "slice_shifts",
    "volume_columns",
    "write_labels",
    "write_volume_figure",
    "write_volume_table",
]
