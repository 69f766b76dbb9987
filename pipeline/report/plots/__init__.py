"""The figures of a report."""

from __future__ import annotations

from pipeline.report.plots.chord_plot import chord_figure
from pipeline.report.plots.correlation_plot import correlation_figure
from pipeline.report.plots.porosity_map import porosity_map_figure
from pipeline.report.plots.representative_area_plot import representative_area_figure
from pipeline.report.plots.rose_plot import rose_figure
from pipeline.report.plots.shape_plot import shape_figure
from pipeline.report.plots.size_plot import size_figure
from pipeline.report.plots.style import as_svg
from pipeline.report.plots.threshold_plot import threshold_figure

__all__ = [
    "as_svg",
    "chord_figure",
    "correlation_figure",
    "porosity_map_figure",
    "representative_area_figure",
    "rose_figure",
    "shape_figure",
    "size_figure",
    "threshold_figure",
]
