"""Orientation rose."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes

from pipeline.report.plots.style import FIRST, SECOND, new_figure
from pipeline.report.scale import number
from pipeline.rock import OrientationRose


def rose_figure(rose: OrientationRose) -> Figure:
    """Petals whose area is the share of each sector, drawn on both sides, with the mean direction as a line."""
    figure = new_figure()
    axes = figure.add_subplot(projection="polar")
    assert isinstance(axes, PolarAxes)
    middle = np.deg2rad((rose.edges[:-1] + rose.edges[1:]) / 2)
    width = np.deg2rad(np.diff(rose.edges))
    # the eye compares areas: the radius is the square root of the share
    radius = np.sqrt(rose.share)
    for turn in (0, np.pi):
        axes.bar(middle + turn, radius, width=width, color=FIRST, alpha=0.55, edgecolor=FIRST, linewidth=0.8)
    if np.isfinite(rose.mean_deg):
        direction = np.deg2rad(rose.mean_deg)
        reach = radius.max() * 1.05
        axes.plot([direction, direction + np.pi], [reach, reach], color=SECOND, linewidth=1.6)
    rings = radius.max() * np.array([0.5, 1.0])
    axes.set_yticks(rings, [f"{number(100 * ring**2, 2)} %" for ring in rings], fontsize=7, color="0.3")
    axes.set_rlabel_position(100)
    # a direction and its opposite have one name, in (-90, 90]
    names = [f"{90 - (90 - angle) % 180}°".replace("-", "−") for angle in range(0, 360, 30)]
    axes.set_thetagrids(range(0, 360, 30), names, fontsize=8)
    axes.tick_params(pad=1)
    axes.grid(color="0.87", linewidth=0.5)
    axes.spines["polar"].set_color("0.87")
    axes.set_axisbelow(True)
    return figure
