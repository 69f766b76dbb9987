"""Pictures of results: arrays and numbers enter, overlays, Matplotlib figures and PNG files leave.

`drawing.py`: colours, legends, letters, PNG. `overlay.py`: masks and errors over an image. `figure.py`: empty figures,
axes, SVG, and figures of several panels. Nothing here reads a file or knows what was measured.
"""

from pipeline.visual.drawing import any_script, plain, write_png
from pipeline.visual.figure import Dots, comparison_figure, dot_figure
from pipeline.visual.overlay import error_overlay, inner_edge, label_picture, mask_overlay, phase_overlay, to_grey8
