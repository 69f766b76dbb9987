"""Figures outside pyplot, and axes with little ink whose ticks can be read."""

from __future__ import annotations

from base64 import b64encode
from io import StringIO

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

_INK, _RULE = "#222222", "#dddddd"
#: fewer labels than this leave a reader guessing, and more than this touch
_FEWEST_LABELS, _MOST_LABELS = 3, 8
#: factor between the ends of a logarithmic axis below which it is nearly linear
_SHORT = 4.0


def new_figure(width: float, height: float, dpi: int = 150) -> Figure:
    """An empty figure (inches) outside pyplot: none is left open, and a program's own backend is untouched."""
    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Labels, a pale grid, and no more lines than are needed.

    Args:
        axes: of a figure.
        x: label of the x axis, with its unit.
        y: label of the y axis, with its unit.
    """
    axes.set_xlabel(x, fontsize=9, color=_INK)
    axes.set_ylabel(y, fontsize=9, color=_INK)
    axes.tick_params(labelsize=8, colors=_INK, color=_RULE)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_RULE)
    axes.grid(color=_RULE, linewidth=0.5)
    axes.set_axisbelow(True)


def log_ticks(axis: Axis) -> None:
    """Label a logarithmic axis, whose limits are set, so that values in between can be read.

    In steps 1, 2, 5, 10; with decades alone where these are too many, and in equal steps where they are too few.
    """
    low, high = sorted(axis.get_view_interval())
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    decades, steps, even = (
        places[(places >= low) & (places <= high)]
        for places in (powers, np.outer(powers, (1, 2, 5)).ravel(), np.asarray(MaxNLocator(5).tick_values(low, high)))
    )
    places = decades if len(steps) > _MOST_LABELS else steps
    if len(places) < _FEWEST_LABELS or high < _SHORT * low:
        places = even
    axis.set_major_locator(FixedLocator(places.tolist()))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axis.set_minor_locator(NullLocator())


def svg_uri(figure: Figure) -> str:
    """The drawing within a page: always the same for the same figure, with letters as outlines, which need no font."""
    file = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "vlsenet", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return data_uri("image/svg+xml", file.getvalue().encode())


def data_uri(kind: str, data: bytes) -> str:
    """A file of a MIME type, such as `image/webp`, within a page."""
    return f"data:{kind};base64,{b64encode(data).decode()}"
