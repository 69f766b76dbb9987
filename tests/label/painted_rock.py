"""A rock whose pores are known, and someone who paints on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

if TYPE_CHECKING:  # it needs a window
    from pipeline.label.dock import LabelDock

SHAPE = (220, 260)
PORE, REST = 2, 1


def made() -> tuple[np.ndarray, np.ndarray]:
    """An image of dark pores, and where they are."""
    field = gaussian_filter(np.random.default_rng(3).normal(size=SHAPE), 6)
    pore = field < np.quantile(field, 0.25)
    grey = np.where(pore, 60, 170) + np.random.default_rng(0).normal(0, 6, SHAPE)
    return grey.astype(np.uint8), pore


def paint(dock: LabelDock, every: int = 30) -> None:
    """Dots in pores and in the rest, as the brush makes them."""
    layer = dock.viewer.layers["strokes"]
    pore = made()[1]
    inside = gaussian_filter(pore.astype(float), 2)
    layer.brush_size = 3
    for code, where in ((PORE, inside > 0.95), (REST, inside < 0.02)):
        layer.selected_label = code
        for y, x in np.argwhere(where)[:: len(np.argwhere(where)) // every]:
            layer.paint((int(y), int(x)), code)
