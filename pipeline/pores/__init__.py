"""Every pore of a segmented scan, measured."""

from __future__ import annotations

from pipeline.pores.columns import Column, table_columns
from pipeline.pores.segmentation import Segmentation, StoredSegmentation
from pipeline.pores.table import CSV, MIN_AREA_PX, PARQUET, PoreSummary, write_pore_table

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
