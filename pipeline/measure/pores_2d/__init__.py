"""Every pore of a segmented scan, measured."""

from __future__ import annotations

from pipeline.measure.pores_2d.columns import table_columns
from pipeline.measure.pores_2d.pore_table import CSV, MIN_AREA_PX, PARQUET, PoreSummary, write_pore_table
from pipeline.measure.pores_2d.strips import Segmentation, StoredSegmentation

__all__ = [
    "CSV",
    "MIN_AREA_PX",
    "PARQUET",
    "PoreSummary",
    "Segmentation",
    "StoredSegmentation",
    "table_columns",
    "write_pore_table",
]
