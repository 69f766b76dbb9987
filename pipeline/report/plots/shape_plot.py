"""Shapes of pores."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pipeline.report.plots.style import FIRST, SECOND, new_figure, plain

_MOST_ELONGATED, _ROUNDEST = 10.0, 1.2


def shape_figure(aspect_ratio: np.ndarray, circularity: np.ndarray, several: str = "pores") -> Figure:
    """Histograms of aspect ratio and circularity, by number; what is beyond the axis stands in its last bin.

    Args:
        aspect_ratio: of each pore.
        circularity: of each pore.
        several: what they are called.
    """
    figure = new_figure()
    panels = figure.subplots(1, 2, sharey=True)
    shapes = (
        (aspect_ratio, np.linspace(1, _MOST_ELONGATED, 28), FIRST, f"aspect ratio (last: ≥ {_MOST_ELONGATED:g})"),
        (circularity, np.linspace(0, _ROUNDEST, 25), SECOND, f"circularity (last: ≥ {_ROUNDEST:g})"),
    )
    for axes, (values, edges, colour, label) in zip(panels, shapes, strict=True):
        values = values[np.isfinite(values)]
        count, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        share = 100 * count / max(1, len(values))
        axes.stairs(share, edges, color=colour, linewidth=1.2)
        axes.stairs(share, edges, color=colour, alpha=0.25, fill=True)
        plain(axes, label, f"share of {several} (%)" if axes is panels[0] else "")
    return figure
