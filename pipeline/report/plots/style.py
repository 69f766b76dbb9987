"""How the figures of a report look."""

from __future__ import annotations

from io import StringIO

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pipeline.visual.colours import BLUE, RGB, VERMILLION

_SIZE = (4.6, 3.2)  # inches; two stand side by side on a page
_INK, _RULE = "#222222", "#dddddd"


def as_float(colour: RGB) -> tuple[float, float, float]:
    """A colour as matplotlib takes it."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


#: of two curves, which also differ in their line style, for grey prints
FIRST, SECOND = as_float(BLUE), as_float(VERMILLION)
FIRST_LINE, SECOND_LINE = "-", (0, (4, 1.5))


def new_figure(size: tuple[float, float] = _SIZE) -> Figure:
    """An empty figure outside pyplot, so that none is left open."""
    figure = Figure(figsize=size, dpi=150, layout="constrained")
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


def as_svg(figure: Figure) -> str:
    """The drawing; the same figure gives the same text, and its letters need no font of the reader."""
    file = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "vlsenet", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
