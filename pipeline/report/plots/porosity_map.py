"""Map of the local porosity."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pipeline.report.plots.style import new_figure, plain
from pipeline.scan.rectangles import Roi


def porosity_map_figure(
    fields: np.ndarray, side: int, region: Roi, per_px: float, unit: str, title: str = ""
) -> Figure:
    """Porosity of each field of view; fields without rock stay white.

    Args:
        fields: porosity, (rows, columns), one of them not NaN.
        side: of a field, px.
        region: the segmented region.
        per_px: the unit for each pixel.
        unit: of the axes.
        title: which slice it is, of a stack.
    """
    x, y, width, height = region
    figure = new_figure()
    axes = figure.subplots()
    right, bottom = x + fields.shape[1] * side, y + fields.shape[0] * side
    extent = (x * per_px, right * per_px, bottom * per_px, y * per_px)
    top = 100 * np.nanmax(fields)
    image = axes.imshow(100 * fields, cmap="viridis", vmin=0, vmax=top or 1, extent=extent)
    # the last fields are cut, as the scan is
    axes.set(xlim=(x * per_px, (x + width) * per_px), ylim=((y + height) * per_px, y * per_px))
    axes.set_title(title, fontsize=9)
    plain(axes, f"x ({unit})", f"y ({unit})")
    axes.grid(visible=False)
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("porosity (%)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure
