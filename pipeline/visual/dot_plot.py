"""Scores under several conditions, as dots on lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.visual.colours import BLUE, RGB, VERMILLION

_PANEL_WIDTH, _LINE_HEIGHT, _TITLE_HEIGHT = 4.5, 0.35, 1.2  # inches


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
    figure = Figure(
        figsize=(_PANEL_WIDTH * len(panels), _LINE_HEIGHT * len(names) + _TITLE_HEIGHT), dpi=150, layout="constrained"
    )
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11)
    for axes, (score, dots) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        if len(dots) != len(names):
            raise ValueError(f"{score}: {len(dots)} lines of dots for {len(names)} names")
        if dots[0].overall is not None:
            axes.axvline(dots[0].overall, color="0.7", linewidth=1, zorder=1)
        for line, (overall, single) in enumerate(dots):
            axes.plot(single, [line] * len(single), "o", color="0.75", markersize=3, zorder=2)
            if overall is not None:
                axes.plot(overall, line, "o", color=_as_float(VERMILLION if line == 0 else BLUE), zorder=3)
        labels = [
            name if one.overall is not None else f"{name} (not run)" for name, one in zip(names, dots, strict=True)
        ]
        axes.set_yticks(range(len(names)), labels)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.grid(axis="y", color="0.9")
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(score)
    return figure


def _as_float(colour: RGB) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255
