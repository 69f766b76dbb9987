"""Every pore of a segmented scan, measured."""

from __future__ import annotations

from pipeline.measure.pores.columns import Column, table_columns
from pipeline.measure.pores.runs import Segmentation, StoredSegmentation
from pipeline.measure.pores.table import CSV, MIN_AREA_PX, PARQUET, PoreSummary, write_pore_table

__all__ = [
    "CSV",
    "MIN_AREA_PX",
    "PARQUET",
    "Column",
    "PoreSummary",
    "Segmentation",
    "StoredSegmentation",
    "table_columns",
    "write_pore_table",
]
