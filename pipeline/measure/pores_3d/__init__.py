"""The pores of a segmented stack as bodies in space."""

from __future__ import annotations

from pipeline.measure.pores_3d.alignment import SliceShifts, slice_shifts
from pipeline.measure.pores_3d.connectivity import AxisConnectivity, Connectivity, connectivity
from pipeline.measure.pores_3d.labelling import LABELS, label_volume, write_labels
from pipeline.measure.pores_3d.planes import write_volume_figure
from pipeline.measure.pores_3d.pore_table_3d import (
    VOLUME_CSV,
    VOLUME_PARQUET,
    Voxel,
    volume_columns,
    write_volume_table,
)
from pipeline.measure.pores_3d.stack_summary import VOLUME_FIGURE, VOLUME_FILES, StackSummary, measure_stack

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
