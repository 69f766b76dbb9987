"""Figures outside pyplot: axes with little ink, image beside errors, scores as dots on lines; as SVG within a page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from PIL import Image

from pipeline.visual.drawing import BLUE, ERROR_LEGEND, VERMILLION, any_script, as_float, plain
from pipeline.visual.overlay import error_overlay, mask_overlay, to_grey8

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


def _laid_out(figure: Figure) -> Figure:
    """The figure, its axes placed for good: else Matplotlib places them anew, and draws twice, whenever it saves."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Save a figure of `new_figure`, finished, in its own resolution, opaque.

    Drawn where its axes were placed, the text is measured once for both; without transparency the file is smaller.
    """
    canvas = _laid_out(figure).canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    opaque = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    opaque.save(path, "PNG", compress_level=2, dpi=(figure.dpi, figure.dpi))


def svg_uri(figure: Figure) -> str:
    """The drawing within a page: always the same for the same figure, with letters as outlines, which need no font."""
    file = StringIO()
    _laid_out(figure)
    with matplotlib.rc_context({"svg.hashsalt": "vlsenet", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return data_uri("image/svg+xml", file.getvalue().encode())


def data_uri(kind: str, data: bytes) -> str:
    """A file of a MIME type, such as `image/webp`, within a page."""
    return f"data:{kind};base64,{b64encode(data).decode()}"


_PANEL_WIDTH = 4.0  # inches
_TITLE_AND_LEGEND = 0.75  # inches


@any_script()
def comparison_figure(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray, title: str) -> Figure:
    """A figure of three panels: the grey image, the true pores, and the prediction's errors.

    Args:
        image: (H, W), any real type.
        truth: (H, W), nonzero where there is pore.
        predicted: (H, W), nonzero where pore is predicted.
        title: one line, such as the image's name and its Dice.

    Returns:
        A matplotlib figure to save, or to hand to MLflow's `log_figure`.

    Raises:
        ValueError: sizes that do not agree.
    """
    panels = {
        "image": np.repeat(to_grey8(image)[..., None], 3, axis=2),
        "true pores": mask_overlay(image, truth),
        "prediction": error_overlay(image, predicted, truth, legend=False),
    }
    height = _PANEL_WIDTH * image.shape[0] / image.shape[1]
    figure = new_figure(3 * _PANEL_WIDTH, height + _TITLE_AND_LEGEND)
    figure.suptitle(plain(title), fontsize=12)
    for axes, (name, picture) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        axes.imshow(picture)
        axes.set_title(name, fontsize=10)
        axes.set_axis_off()
    patches = [Patch(facecolor=as_float(colour), edgecolor="0.2", label=label) for label, colour in ERROR_LEGEND]
    figure.legend(handles=patches, loc="outside lower right", ncols=len(patches), frameon=False, fontsize=10)
    return figure


_DOTS_WIDTH, _LINE_HEIGHT, _TITLE_HEIGHT = 4.5, 0.35, 1.2  # inches


class Dots(NamedTuple):
    """One score under one condition.

    Attributes:
        overall: the score; None where the condition was not run.
        single: the scores of the single images. Their spread shows how much a difference of the overall score means.
    """

    overall: float | None
    single: Sequence[float]


def dot_figure(names: Sequence[str], panels: Mapping[str, Sequence[Dots]], title: str) -> Figure:
    """A panel for each score, and in it a line for each condition: large dot overall, pale ones for single images.

    Args:
        names: the conditions, from top to bottom; the first is the one to compare with.
        panels: title of a score to its dots, in the order of the names.
        title: one line.

    Returns:
        A matplotlib figure to save.

    Raises:
        ValueError: a panel with more or fewer dots than names.
    """
    figure = new_figure(_DOTS_WIDTH * len(panels), _LINE_HEIGHT * len(names) + _TITLE_HEIGHT)
    figure.suptitle(title, fontsize=11)
    for axes, (score, dots) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        if len(dots) != len(names):
            raise ValueError(f"{score}: {len(dots)} lines of dots for {len(names)} names")
        if dots[0].overall is not None:
            axes.axvline(dots[0].overall, color="0.7", linewidth=1, zorder=1)
        for line, (overall, single) in enumerate(dots):
            axes.plot(single, [line] * len(single), "o", color="0.75", markersize=3, zorder=2)
            if overall is not None:
                axes.plot(overall, line, "o", color=as_float(VERMILLION if line == 0 else BLUE), zorder=3)
        labels = [
            name if one.overall is not None else f"{name} (not run)" for name, one in zip(names, dots, strict=True)
        ]
        axes.set_yticks(range(len(names)), labels)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(axis="y", color="0.9")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(score)
    return figure
