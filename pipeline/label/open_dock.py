"""What the dock has open: a data set, and an image of it with its strokes, saved within moments and when it ends."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any

from napari import Viewer
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QApplication

from pipeline.annotations.session import LabelSession, data_set_of
from pipeline.errors import UserError
from pipeline.images.rectangles import Part
from pipeline.label.asked_model import AskedModel
from pipeline.label.canvas_view import RestingView, view_of
from pipeline.label.collector import WindowCollector
from pipeline.label.dock_form import DockForm
from pipeline.label.jobs import Jobs
from pipeline.label.levels import ImageLevels
from pipeline.label.painted_field import PaintedField
from pipeline.label.window_layers import MASK, PREVIEW, STROKES, UNCERTAINTY, add_image

logger = logging.getLogger("vlsenet")

#: between two savings of strokes (ms)
_SAVE = 1000
BEGIN = "Open a folder of images, a data set, or one scan of any size: the buttons at the top."
FIRST = (
    "Does the model know this rock already? Show its mask, and paint where it is wrong. All strokes are saved at once."
)


class OpenDock(DockForm):
    """The dock with what it has open; `LabelDock` does something with it.

    Args:
        napari_viewer: the window that it is in.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session: LabelSession | None = None
        self.field: PaintedField | None = None
        self._image: ImageLevels | None = None
        self._stem = ""
        self._model: AskedModel | None = None
        self._is_docked = self._is_closed = self._is_refused = False
        self._collector = WindowCollector(self)
        self._jobs = Jobs(self, self.failed, self.told.setText)
        self._resting = RestingView(napari_viewer, self, lambda: self.guarded(self._follow_view))
        self._saver = QTimer(self)
        self._saver.timeout.connect(self.save)
        self.images.currentTextChanged.connect(self._chosen)
        self.phases.currentItemChanged.connect(lambda *_: self._choose_phase())
        # napari closes its window, which deletes the docks in it without closing them; a method of the dock, in place
        # of a function, would be disconnected before
        self.destroyed.connect(lambda: self.close_all())
        if (application := QApplication.instance()) is not None:
            application.aboutToQuit.connect(lambda: self.close_all())

    # ---- data set and images

    def open(self, path: Path | None) -> None:
        """Open a data set, a folder of images, or a scan; None, of a dialog that was closed, changes nothing.

        Raises:
            UserError: another window labels it, there are no images, or what was painted can't be saved.
        """
        if path is None:
            return
        if self.field is not None:
            self.field.save()
        root = data_set_of(path)
        again = self.session is not None and self.session.root.samefile(root)
        session = None if again else LabelSession(root)  # if it can't be opened, the one before stays
        self._close_session()
        self.viewer.layers.clear()
        self.session = session or LabelSession(root)
        self._model = AskedModel(self.session.root, self._jobs.check)
        self.phases.show_phases(self.session)
        self.list_images(list(self.session.images))
        self.told.setText("")
        left_out = self._show_first()
        if self.session.vanished:
            gone = ", ".join(self.session.vanished)
            left_out.append(f"labelled earlier, and gone now: {gone}; their labels are kept")
        if left_out:
            self.tell("\n".join(filter(None, (*left_out, self.told.text()))))
        elif not self.told.text():
            self.told.setText(FIRST)

    def _show_first(self) -> list[str]:
        """Show the first image that can be shown; what is wrong with those before it.

        Raises:
            UserError: none can be shown.
        """
        assert self.session is not None
        problems: list[str] = []
        for stem in self.session.images:
            try:
                self.show_image(stem)
            except UserError as problem:
                problems.append(str(problem))
            else:
                return problems
        raise UserError("\n".join(problems))

    def opened(self) -> tuple[LabelSession, AskedModel, PaintedField, ImageLevels]:
        """What is labelled, with everything saved.

        Raises:
            UserError: no image is open.
        """
        if self.session is None or self._model is None or self.field is None or self._image is None:
            raise UserError(BEGIN)
        self.save()
        return self.session, self._model, self.field, self._image

    def _chosen(self, stem: str) -> None:
        if stem and stem != self._stem:
            self.guarded(lambda: self.show_image(stem))

    def show_image(self, stem: str, centre: tuple[float, float] | None = None) -> None:
        """Show another image of the data set, and what was painted on it.

        Args:
            stem: of its file.
            centre: of the field that can be painted on in a large image (row, column; px); None: its middle.

        Raises:
            UserError: it can't be read, changed since it was labelled, or what was painted on the one before can't be
                saved; that one stays.
        """
        assert self.session is not None
        try:
            if self.field is not None:
                self.field.save()
            store = self.session.store(stem)
            image = ImageLevels(self.session.images[stem])
        except UserError:
            self.name_image(self._stem)
            raise
        self._close_image()
        self._stem, self._image = stem, image
        self.name_image(stem)
        self.viewer.layers.clear()
        add_image(self.viewer, image, stem)
        self.field = PaintedField(self.viewer, image, store, self.session, centre)
        self._choose_phase()
        self._to_strokes()
        self.viewer.scale_bar.visible = True
        self.viewer.reset_view()
        self._saver.start(_SAVE)
        if self.field.is_part and self._model is not None:  # it takes seconds, which are those of the first strokes
            self._jobs.start(partial(self._model.prepare, self.session.images[stem]), lambda _: None)
        if stem in self.session.put_back:
            self.session.put_back.remove(stem)
            self.tell(f"{stem}: strokes that could not be saved when their window was closed are back, and saved")

    def _to_strokes(self) -> None:
        """Let the brush work on the strokes, whatever layer is new."""
        if self.field is not None and self.field.layer in self.viewer.layers:
            self.viewer.layers.selection.active = self.field.layer

    def save(self) -> None:
        """Put onto the disk what was painted since the last time; on a full disk, it is tried again."""
        try:
            changed = self.field is not None and self.field.save()
            self._show_again_what_was_removed()
        except UserError as error:
            self._is_refused = True
            self.failed(error)
            return
        if changed and self._is_refused:
            self._is_refused = False
            self.tell("all strokes are saved now")
        if changed:
            self.strokes_changed()

    def _show_again_what_was_removed(self) -> None:
        """Without the image or the strokes, which napari lets be deleted or renamed, nothing works."""
        if self.field is None or (self.field.layer in self.viewer.layers and self._stem in self.viewer.layers):
            return
        window = self.field.window
        self.show_image(self._stem, (window.top + window.height / 2, window.left + window.width / 2))
        self.tell("the image and its strokes are needed, and are shown again; erase strokes with the eraser")

    def strokes_changed(self) -> None:
        """Called when strokes were saved."""

    # ---- the view

    def _follow_view(self) -> None:
        if self.field is not None and self._stem in self.viewer.layers:
            self.field.follow(self._view())

    def _view(self) -> Part:
        """What the canvas shows of the image (px)."""
        return view_of(self.viewer.layers[self._stem])

    def _choose_phase(self) -> None:
        if self.field is not None and self.phases.code is not None:
            self.field.choose(self.phases.code)

    # ---- the end

    def _close_image(self) -> None:
        if self._image is not None:
            self._image.close()
        self._image = self.field = None

    def _close_session(self) -> None:
        self._saver.stop()
        self._jobs.stop()
        try:
            self._save_or_keep()
        finally:
            self._close_image()
            if self._model is not None:
                self._model.close()
            if self.session is not None:
                self.session.close()
            self.session, self._model, self._stem = None, None, ""

    def _save_or_keep(self) -> None:
        """Put onto the disk what was painted; where that refuses, somewhere else.

        Raises:
            UserError: there is space nowhere.
        """
        if self.field is None or self.session is None:
            return
        try:
            self.field.save()
        except UserError as error:
            unsaved = self.field.unsaved()
            if unsaved is None:
                return
            file = unsaved.keep(self.session.root, self._stem)
            logger.warning(
                "%s. Strokes of %s are kept in %s; vlsenet label puts them back when it shows the image next",
                str(error).partition(";")[0],
                self._stem,
                file,
            )

    def close_all(self) -> None:
        """Save, end what is running, and let another window have the data set; a training is stopped."""
        if self._is_closed:
            return
        self._is_closed = True
        self._resting.close()
        try:
            self._close_session()
        except UserError as error:
            logger.error("%s", error)
        finally:
            self._jobs.close()
            self._collector.close()

    def event(self, event: Any) -> bool:
        """The cross of a dock in napari takes it out of the window, and no more."""
        if event.type() == QEvent.Type.ParentChange:
            is_docked = self.parentWidget() is not None
            if self._is_docked and not is_docked:
                self._leave()
            self._is_docked = is_docked
        return bool(super().event(event))

    def closeEvent(self, event: Any) -> None:
        """The dock is closed as a window of its own."""
        self._leave()
        super().closeEvent(event)

    def _leave(self) -> None:
        """The window stays, without the dock and what it shows of images that are closed now."""
        for name in (self._stem, STROKES, PREVIEW, MASK, UNCERTAINTY):
            if name in self.viewer.layers and not self._is_closed:
                self.viewer.layers.remove(name)
        self.close_all()
