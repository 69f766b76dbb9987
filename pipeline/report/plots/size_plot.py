"""Pore-size distribution."""

from __future__ import annotations

from matplotlib.figure import Figure

from pipeline.report.plots.style import FIRST, FIRST_LINE, SECOND, SECOND_LINE, log_ticks, new_figure, plain
from pipeline.report.scale import number
from pipeline.rock import SizeDistribution


def size_figure(sizes: SizeDistribution, unit: str) -> Figure:
    """Shares of number and area in bins of the equivalent diameter, with the medians.

    Args:
        sizes: in the unit.
        unit: of the diameters.
    """
    figure = new_figure()
    axes = figure.subplots()
    curves = (
        ("by number", sizes.by_number, sizes.number_percentiles, FIRST, FIRST_LINE),
        ("by area", sizes.by_area, sizes.area_percentiles, SECOND, SECOND_LINE),
    )
    for name, share, percentiles, colour, line in curves:
        label = f"{name}, D50 {number(percentiles[1])} {unit}"
        axes.stairs(100 * share, sizes.edges, color=colour, linestyle=line, linewidth=1.6, label=label)
        axes.stairs(100 * share, sizes.edges, color=colour, alpha=0.12, fill=True)
        axes.axvline(percentiles[1], color=colour, linestyle=line, linewidth=0.9)
    axes.set_xscale("log")
    log_ticks(axes.xaxis)
    axes.set_ylim(bottom=0)
    plain(axes, f"equivalent diameter ({unit})", "share in each bin (%)")
    axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure
