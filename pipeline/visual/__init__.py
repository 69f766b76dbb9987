"""Pictures of results."""

from pipeline.visual.drawing import any_script, plain, write_png
from pipeline.visual.figure import Dots, comparison_figure, dot_figure
from pipeline.visual.overlay import error_overlay, label_picture, mask_overlay, to_grey8
