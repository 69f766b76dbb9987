"""What can be painted on: the layer of strokes of one image, where in the image it lies, and how it is saved."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari import Viewer

from pipeline.annotations.session import LabelSession
from pipeline.annotations.stroke_store import LARGEST_WHOLE, StrokeStore
from pipeline.annotations.unsaved_strokes import UnsavedStrokes
from pipeline.images.rectangles import Part, Window
from pipeline.label.levels import ImageLevels
from pipeline.label.window_layers import add_strokes, colormap_of, scale_of

#: side of the field that can be painted on in images whose labels are kept in chunks (px)
FIELD = 2048
#: it follows the view when that has moved so far (px)
_FAR = FIELD // 8


class PaintedField:
    """The strokes of one image, of which a field is in memory and can be painted on.

    The field is all of a usual image. Of a large one it is a square of `FIELD` that follows the view, so that neither
    memory nor the time of a stroke grow with the scan. It is one layer, whose data are exchanged: napari lets go of
    neither a layer's memory nor the time that it takes to make one.

    Args:
        viewer: that shows the image.
        image: the image.
        store: its strokes on the disk.
        session: the phases.
        centre: of the field (row, column; px); None: the image's middle.

    Attributes:
        window: where the field lies in the image.
        layer: that is painted on.
        is_part: whether the image is larger than the field.
    """

    def __init__(
        self,
        viewer: Viewer,
        image: ImageLevels,
        store: StrokeStore,
        session: LabelSession,
        centre: tuple[float, float] | None = None,
    ) -> None:
        self.store, self._scale = store, scale_of(image)[0]
        self.window = field_around(store.shape, centre or (store.shape[0] / 2, store.shape[1] / 2))
        self.layer = add_strokes(viewer, image, store.read(self.window), self.window, session)
        self.is_part = self.window != Window(0, 0, *store.shape)
        self.layer.bounding_box.visible = self.is_part
        self._dirty = False
        for event in (self.layer.events.paint, self.layer.events.labels_update, self.layer.events.set_data):
            event.connect(self._painted)

    def _painted(self, *_: Any) -> None:
        self._dirty = True

    def choose(self, code: int) -> None:
        """Paint in a class from now on."""
        self.layer.selected_label = code

    def recolour(self, session: LabelSession) -> None:
        """Show the colours of the session's phases, of which there are more now."""
        self.layer.colormap = colormap_of(session)

    def save(self) -> bool:
        """Put onto the disk what was painted since the last time.

        Returns:
            Whether anything was changed.

        Raises:
            UserError: the disk refuses; the strokes stay, and the next call tries again.
        """
        if not self._dirty:
            return False
        changed = self.store.write(self.window, np.asarray(self.layer.data).astype(np.uint8))
        self._dirty = False
        return changed

    def unsaved(self) -> UnsavedStrokes | None:
        """What was painted and is not on the disk; None: nothing is missing there."""
        if not self._dirty:
            return None
        values, painted = self.store.difference(self.window, np.asarray(self.layer.data).astype(np.uint8))
        return UnsavedStrokes(self.window, values, painted) if painted.any() else None

    def holds(self, part: Part) -> bool:
        """Whether all of a part can be painted on, as far as it shows the image."""
        field, (height, width) = self.window, self.store.shape
        return (
            field.top <= max(0, part.y)
            and field.left <= max(0, part.x)
            and min(height, part.y + part.height) <= field.top + field.height
            and min(width, part.x + part.width) <= field.left + field.width
        )

    def follow(self, view: Part) -> None:
        """Move to where the view is, if that has left the field.

        Raises:
            UserError: what was painted can't be saved; the field stays where it is.
        """
        if self.holds(view):
            return
        centre = view.y + view.height / 2, view.x + view.width / 2
        wanted = field_around(self.store.shape, centre)
        if max(abs(wanted.top - self.window.top), abs(wanted.left - self.window.left)) >= _FAR:
            self.move_to(centre)

    def move_to(self, centre: tuple[float, float]) -> None:
        """Let the surroundings of a place (row, column; px) be painted on; strokes can't be undone across a move.

        Raises:
            UserError: what was painted can't be saved; the field stays where it is.
        """
        wanted = field_around(self.store.shape, centre)
        if wanted == self.window:
            return
        self.save()
        codes = self.store.read(wanted)
        self.window = wanted
        self.layer.data = codes
        self.layer._reset_history()  # of the strokes of another place; napari has no public name for it
        self.layer.translate = (wanted.top * self._scale[0], wanted.left * self._scale[1])
        self._dirty = False


def field_around(shape: tuple[int, int], centre: tuple[float, float]) -> Window:
    """The part of an image (H, W) that can be painted on: all of it, or a field around a place (row, column; px)."""
    height, width = shape
    if height * width <= LARGEST_WHOLE:
        return Window(0, 0, height, width)
    high, wide = min(FIELD, height), min(FIELD, width)
    top = min(max(0, round(centre[0]) - high // 2), height - high)
    left = min(max(0, round(centre[1]) - wide // 2), width - wide)
    return Window(top, left, high, wide)
