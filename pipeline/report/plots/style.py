"""How the figures of a report look."""

from __future__ import annotations

from io import StringIO

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from pipeline.visual.colours import BLUE, RGB, VERMILLION

_SIZE = (4.6, 3.2)  # inches; two stand side by side on a page
_INK, _RULE = "#222222", "#dddddd"
#: fewer labels than this leave a reader guessing, and more than this touch
_FEWEST_LABELS, _MOST_LABELS = 3, 8
#: factor below which a logarithmic axis is nearly an even one
_SHORT = 4.0


def as_float(colour: RGB) -> tuple[float, float, float]:
    """A colour as matplotlib takes it."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


#: of two curves, which also differ in their line style, for grey prints
FIRST, SECOND = as_float(BLUE), as_float(VERMILLION)
FIRST_LINE, SECOND_LINE = "-", (0, (4, 1.5))


def new_figure() -> Figure:
    """An empty figure outside pyplot, so that none is left open."""
    figure = Figure(figsize=_SIZE, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain(axes: Axes, x: str, y: str) -> None:
    """Labels, and no more lines than are needed.

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
    """Label a logarithmic axis, whose limits stand, so that what lies between can be told.

    In steps 1, 2, 5, 10; with decades alone where these are too many, and evenly where they are too few.
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


def as_svg(figure: Figure) -> str:
    """The drawing; the same figure gives the same text, and its letters need no font of the reader."""
    file = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "vlsenet", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
