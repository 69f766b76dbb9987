"""Two-point correlation."""

from __future__ import annotations

from matplotlib.figure import Figure

from pipeline.report.plots.style import FIRST, FIRST_LINE, SECOND, SECOND_LINE, new_figure, plain
from pipeline.report.scale import Scale
from pipeline.rock import TwoPoint


def correlation_figure(along_x: TwoPoint, along_y: TwoPoint, scale: Scale) -> Figure:
    """S2 along x and y, with the value for pores that know nothing of each other."""
    figure = new_figure()
    axes = figure.subplots()
    for name, pairs, colour, line in (
        ("along x", along_x, FIRST, FIRST_LINE),
        ("along y", along_y, SECOND, SECOND_LINE),
    ):
        axes.plot(scale.lengths(pairs.lags), pairs.s2, color=colour, linestyle=line, linewidth=1.6, label=name)
    axes.axhline(along_x.s2[0] ** 2, color="0.45", linewidth=0.9, linestyle=":", label="porosity squared")
    axes.set_ylim(bottom=0)
    # where it is flat there is nothing to see
    lengths = [pairs.correlation_length for pairs in (along_x, along_y)]
    known = [length for length in lengths if length == length]
    longest = max(along_x.lags[-1], along_y.lags[-1])
    axes.set_xlim(0, scale.per_px * min(longest, 12 * max(known) if known else longest))
    plain(axes, f"distance ({scale.unit})", "two-point probability S₂")
    axes.legend(fontsize=8, frameon=False)
    return figure
