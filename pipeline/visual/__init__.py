"""Pictures of results."""

from __future__ import annotations

from pipeline.visual.dot_plot import Dots, dot_figure
from pipeline.visual.figure import comparison_figure
from pipeline.visual.label_picture import label_picture
from pipeline.visual.legend import add_legend
from pipeline.visual.lettering import any_script, plain
from pipeline.visual.overlay import error_overlay, mask_overlay, to_grey8
from pipeline.visual.png import write_png

__all__ = [
    "Dots",
    "add_legend",
    "any_script",
    "comparison_figure",
    "dot_figure",
    "error_overlay",
    "label_picture",
    "mask_overlay",
    "plain",
    "to_grey8",
    "write_png",
]
