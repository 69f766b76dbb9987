"""The report of a segmented scan: one HTML file, and its figures."""

from __future__ import annotations

from pipeline.report.build import FIGURE_NAMES, Report, report_of_scan
from pipeline.report.content import Facts, KeyFigure, Pictures, Plot, ReportContent, Table, write_figures, write_report

__all__ = [
    "FIGURE_NAMES",
    "Facts",
    "KeyFigure",
    "Pictures",
    "Plot",
    "Report",
    "ReportContent",
    "Table",
    "report_of_scan",
    "write_figures",
    "write_report",
]
