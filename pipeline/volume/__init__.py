"""The pores of a segmented stack as bodies in space."""

from __future__ import annotations

from pipeline.volume.alignment import SliceShifts, slice_shifts
from pipeline.volume.columns import volume_columns
from pipeline.volume.connectivity import AxisConnectivity, Connectivity, connectivity
from pipeline.volume.figure import write_volume_figure
from pipeline.volume.label import label_volume
from pipeline.volume.labels import LABELS, write_labels
from pipeline.volume.measure import VOLUME_FIGURE, VOLUME_FILES, StackSummary, measure_stack
from pipeline.volume.table import VOLUME_CSV, VOLUME_PARQUET, write_volume_table
from pipeline.volume.voxel import Voxel

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
