"""Chord-length distribution."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pipeline.report.plots.style import FIRST, FIRST_LINE, SECOND, SECOND_LINE, log_ticks, new_figure, plain
from pipeline.report.scale import Scale, number
from pipeline.rock import Chords


def chord_figure(along_x: Chords, along_y: Chords, scale: Scale) -> Figure:
    """Density of the whole chords along x and y, in bins that grow with the length."""
    figure = new_figure()
    axes = figure.subplots()
    for name, chords, colour, line in (
        ("along x", along_x, FIRST, FIRST_LINE),
        ("along y", along_y, SECOND, SECOND_LINE),
    ):
        if not chords.counts.any():
            continue
        edges = np.unique(np.rint(np.geomspace(1, len(chords.counts) + 1, 40)))
        label = f"{name}, mean intercept {number(chords.mean_intercept * scale.per_px)} {scale.unit}"
        density = np.where(chords.density(edges) > 0, chords.density(edges), np.nan) / scale.per_px
        middle = scale.lengths(np.sqrt(edges[:-1] * (edges[1:] - 1)))
        drawn = np.isfinite(density)
        axes.plot(middle[drawn], density[drawn], color=colour, linestyle=line, linewidth=1.6, marker=".", label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        log_ticks(axis)
    plain(axes, f"chord length ({scale.unit})", f"probability density (1/{scale.unit})")
    axes.legend(fontsize=8, frameon=False)
    return figure
