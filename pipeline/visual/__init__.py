"""Pictures of results."""

from __future__ import annotations

from pipeline.visual.drawing import add_legend, any_script, plain, write_png
from pipeline.visual.figure import Dots, comparison_figure, dot_figure
from pipeline.visual.overlay import error_overlay, label_picture, mask_overlay, to_grey8

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
