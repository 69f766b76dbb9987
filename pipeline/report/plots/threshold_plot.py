"""Porosity against the threshold."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pipeline.report.plots.style import FIRST, SECOND, SECOND_LINE, new_figure, plain


def threshold_figure(probabilities: np.ndarray, threshold: float) -> Figure:
    """What porosity would be at other thresholds.

    Args:
        probabilities: rock pixels of each 8-bit probability, (256,), not all of them of probability 0.
        threshold: that was used.
    """
    figure = new_figure()
    axes = figure.subplots()
    reaching = np.cumsum(probabilities[::-1])[::-1] / probabilities.sum()
    # at 0 all is pore, which would set the scale of the axis
    axes.plot(np.arange(1, 256) / 255, 100 * reaching[1:], color=FIRST, linewidth=1.6)
    axes.axvline(threshold, color=SECOND, linestyle=SECOND_LINE, linewidth=1.2, label=f"used: {threshold:g}")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 110 * (reaching[26] or reaching[1]))
    plain(axes, "probability threshold", "porosity (%)")
    axes.legend(fontsize=8, frameon=False)
    return figure
