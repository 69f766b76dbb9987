"""What the canvas shows of an image: where it looks, how to look elsewhere, and when it has come to rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari import Viewer
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer

from pipeline.images.rectangles import Part
from pipeline.label.levels import ImageLevels
from pipeline.label.window_layers import scale_of

#: between the last movement and rest (ms)
_SETTLED = 250
#: of the canvas, that the height of what is looked at takes (px)
_HEIGHT = 400


def camera_of(viewer: Viewer) -> Any:
    """The camera of the canvas; napari 0.9 has it in the scene."""
    return getattr(viewer, "scene", viewer).camera


def view_of(layer: Image) -> Part:
    """What the canvas shows of an image (px of the image)."""
    corners = np.asarray(layer.corner_pixels, float)
    if layer.multiscale:
        corners = corners * np.asarray(layer.downsample_factors[layer.data_level])
    (top, left), (bottom, right) = np.floor(corners[0]), np.ceil(corners[1])
    return Part(0, int(top), int(left), max(1, int(bottom - top) + 1), max(1, int(right - left) + 1))


def look_at(viewer: Viewer, image: ImageLevels, part: Part) -> None:
    """Show a part of an image large, in the middle of the canvas."""
    (down, across), _ = scale_of(image)
    camera = camera_of(viewer)
    camera.center = ((part.y + part.height / 2) * down, (part.x + part.width / 2) * across)
    camera.zoom = _HEIGHT / (part.height * down)


class RestingView:
    """Calls a function each time that the canvas has moved and come to rest.

    Args:
        viewer: whose canvas.
        parent: whose end ends it.
        act: the function.
    """

    def __init__(self, viewer: Viewer, parent: QObject, act: Callable[[], None]) -> None:
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(act)
        camera = camera_of(viewer)
        self._movements = camera.events.center, camera.events.zoom
        for event in self._movements:
            event.connect(self._moved)

    def _moved(self, *_: Any) -> None:
        self._timer.start(_SETTLED)

    def close(self) -> None:
        """Call it no more."""
        self._timer.stop()
        for event in self._movements:
            event.disconnect(self._moved)
