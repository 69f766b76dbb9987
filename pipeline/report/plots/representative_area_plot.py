"""Porosity against the size of the field."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from pipeline.report.plots.style import FIRST, SECOND, SECOND_LINE, new_figure, plain
from pipeline.rock import RepresentativeArea

_APART = 1.6  # factor between labels


def representative_area_figure(areas: RepresentativeArea, per_px: float, unit: str, porosity: float) -> Figure:
    """Mean and spread of porosity among fields of each size.

    Args:
        areas: at least one size, and some pore.
        per_px: the unit for each pixel.
        unit: of the sides.
        porosity: of the whole.
    """
    figure = new_figure()
    axes = figure.subplots()
    side = areas.side * per_px
    axes.fill_between(side, 100 * areas.low, 100 * areas.high, color=FIRST, alpha=0.1, label="lowest to highest field")
    low, high = np.maximum(areas.mean - areas.spread, 0), areas.mean + areas.spread
    axes.fill_between(side, 100 * low, 100 * high, color=FIRST, alpha=0.25, label="mean ± standard deviation")
    axes.plot(side, 100 * areas.mean, ".-", color=FIRST, linewidth=1.4, label="mean of the fields")
    axes.axhline(100 * porosity, color=SECOND, linestyle=SECOND_LINE, linewidth=1, label="whole scan")
    axes.set_xscale("log", base=2)
    axes.set_xticks(_apart(side))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    # single small fields may be all pore: they leave the axis, so that the spread is seen
    axes.set_ylim(0, 100 * min(areas.high.max(), (areas.mean + 3 * areas.spread).max()) * 1.05)
    plain(axes, f"side of the field ({unit})", "porosity (%)")
    axes.legend(fontsize=8, frameon=False)
    return figure


def _apart(values: np.ndarray) -> list[float]:
    """Of ascending values, those whose labels do not touch on a logarithmic axis."""
    kept = [float(values[0])]
    for value in values[1:]:
        if value >= _APART * kept[-1]:
            kept.append(float(value))
    return kept
