"""Image, truth and errors side by side."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from pipeline.visual.colours import ERROR_LEGEND
from pipeline.visual.lettering import any_script, plain
from pipeline.visual.overlay import error_overlay, mask_overlay, to_grey8

_PANEL_WIDTH = 4.0  # inches
_TITLE_AND_LEGEND = 0.75  # inches


@any_script()
def comparison_figure(image: np.ndarray, truth: np.ndarray, predicted: np.ndarray, title: str) -> Figure:
    """A figure of three panels: the grey image, the true pores, and the prediction's errors.

    It stays outside pyplot, so that no figure is left open and a program's own backend is untouched.

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
    figure = Figure(figsize=(3 * _PANEL_WIDTH, height + _TITLE_AND_LEGEND), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(plain(title), fontsize=12)
    for axes, (name, picture) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        axes.imshow(picture)
        axes.set_title(name, fontsize=10)
        axes.set_axis_off()
    patches = [
        Patch(facecolor=(red / 255, green / 255, blue / 255), edgecolor="0.2", label=label)
        for label, (red, green, blue) in ERROR_LEGEND
    ]
    figure.legend(handles=patches, loc="outside lower right", ncols=len(patches), frameon=False, fontsize=10)
    return figure
