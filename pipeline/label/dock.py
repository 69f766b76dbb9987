"""The dock: paint, preview, train, correct, next, segment."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari import Viewer
from qtpy.QtCore import QTimer

from pipeline.annotations.session import LabelSession, data_set_of
from pipeline.errors import UserError
from pipeline.images.rectangles import Part
from pipeline.label.asked_model import AskedModel, ModelView
from pipeline.label.canvas_view import RestingView, look_at, view_of
from pipeline.label.dock_form import DockForm
from pipeline.label.jobs import Jobs, segmented
from pipeline.label.levels import ImageLevels
from pipeline.label.painted_field import PaintedField
from pipeline.label.training_watch import TrainingWatch
from pipeline.label.window_layers import add_image, show_preview, show_uncertainty
from pipeline.workflows.label_loop.preview import Preview
from pipeline.workflows.label_loop.suggestion import Region, all_regions, ranked

#: between two savings of strokes (ms)
_SAVE = 1000
_BEGIN = "Open a folder of images, a data set, or one scan of any size: the buttons at the top."


class LabelDock(DockForm):
    """Leads through the loop on one data set.

    Args:
        napari_viewer: the window that it is in.
        path: a data set, a folder of images, or a scan; None: it is asked for.
    """

    def __init__(self, napari_viewer: Viewer, path: Path | None = None) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session: LabelSession | None = None
        self.field: PaintedField | None = None
        self._image: ImageLevels | None = None
        self._stem = ""
        self._model: AskedModel | None = None
        self._suggestions: list[Region] = []
        self._jobs = Jobs(self, self.failed)
        self.watch = TrainingWatch(self, self._jobs, self._new_model)
        self._resting = RestingView(napari_viewer, self, lambda: self.guarded(self._follow_view))
        self._saver = QTimer(self)
        self._connect()
        if path is not None:
            self.open(path)
        else:
            self.told.setText(_BEGIN)

    def _connect(self) -> None:
        self.images.currentTextChanged.connect(self._chosen)
        self.phases.currentItemChanged.connect(lambda *_: self._choose_phase())
        self.new_phase.returnPressed.connect(self._guard(self.add_phase))
        actions = {
            self.open_button: lambda: self.open(self.asked_folder()),
            self.scan_button: lambda: self.open(self.asked_scan()),
            self.add_button: self.add_phase,
            self.preview_button: self.preview,
            self.train_button: self.train,
            self.stop_button: self.watch.stop,
            self.next_button: self.next,
            self.segment_button: self.segment,
        }
        for button, action in actions.items():
            button.clicked.connect(self._guard(action))
        self._saver.timeout.connect(self.save)

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
        self._close_session()
        self.session = LabelSession(data_set_of(path))
        self._model, self._suggestions = AskedModel(self.session.root), []
        self.phases.show_phases(self.session)
        self.list_images(list(self.session.images))
        self.told.setText("")
        self.show_image(self.images.currentText())
        if self.session.vanished:
            self.tell(f"labelled earlier, and gone now: {', '.join(self.session.vanished)}; their labels are kept")

    def opened(self) -> tuple[LabelSession, AskedModel, PaintedField, ImageLevels]:
        """What is labelled, with everything saved.

        Raises:
            UserError: no image is open.
        """
        if self.session is None or self._model is None or self.field is None or self._image is None:
            raise UserError(_BEGIN)
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

    def _to_strokes(self) -> None:
        """Let the brush work on the strokes, whatever layer is new."""
        if self.field is not None and self.field.layer in self.viewer.layers:
            self.viewer.layers.selection.active = self.field.layer

    def save(self) -> None:
        """Put onto the disk what was painted since the last time; on a full disk, it is tried again."""
        try:
            changed = self.field is not None and self.field.save()
        except UserError as error:
            self.failed(error)
            return
        if changed and self.live.isChecked() and not self._jobs.is_busy:
            self.guarded(self.preview)

    # ---- the view

    def _follow_view(self) -> None:
        if self.field is not None and self._stem in self.viewer.layers:
            self.field.follow(self._view())

    def _view(self) -> Part:
        """What the canvas shows of the image (px)."""
        return view_of(self.viewer.layers[self._stem])

    # ---- phases

    def _choose_phase(self) -> None:
        if self.field is not None and self.phases.code is not None:
            self.field.choose(self.phases.code)

    def add_phase(self) -> None:
        """Add the phase whose name was typed.

        Raises:
            UserError: no data set is open, or it is no name for another phase.
        """
        session, _, field, _ = self.opened()
        if self.new_phase.text().strip():
            session.add_phase(self.new_phase.text())
            self.new_phase.clear()
            field.recolour(session)
            self.phases.show_phases(session, chosen=-2)

    # ---- preview and model

    def preview(self) -> None:
        """Show what the strokes make of the view."""
        session, model, field, image = self.opened()
        path, view, stem = session.images[self._stem], self._view(), self._stem

        def show(found: Preview) -> None:
            if stem == self._stem:
                show_preview(self.viewer, image, found.codes, found.part, session)
                self._to_strokes()
                self.tell("preview: paint where it is wrong, and preview again; then train")

        self.told.setText("looking at the view ...")
        self._jobs.start(lambda: model.preview(path, view, field.store), show)

    def train(self) -> None:
        """Train on all strokes, in a process of its own."""
        session, *_ = self.opened()
        self.watch.start(session)

    def _new_model(self) -> None:
        if self._model is not None:
            self._model.forget()
        self._suggestions = []
        self.guarded(self.show_model)

    def show_model(self) -> None:
        """Show what the model finds in the view, and where it is unsure."""
        session, model, _, image = self.opened()
        path, stem, view = session.images[self._stem], self._stem, self._view()

        def show(found: ModelView) -> None:
            if stem == self._stem:
                show_preview(self.viewer, image, found.codes, found.part, session)
                show_uncertainty(self.viewer, image, found.uncertainty, found.part)
                self._to_strokes()

        self._jobs.start(lambda: model.view(path, view, session.meaning.values.names), show)

    # ---- next and segment

    def next(self) -> None:
        """Go to the region of which the model is most unsure."""
        session, model, *_ = self.opened()
        if self._suggestions:
            self._go_to(self._suggestions.pop(0))
            return

        def show(found: list[Region]) -> None:
            self._suggestions = found
            if not found:
                self.tell("nothing is left that is not labelled")
            else:
                self._go_to(self._suggestions.pop(0))

        self.told.setText("asking the model where it is unsure ...")
        self._jobs.start(lambda: ranked(all_regions(session.root, model.loaded(), 256)[0], 20), show)

    def _go_to(self, region: Region) -> None:
        assert self.session is not None
        stem = next(stem for stem, path in self.session.images.items() if path == region.image)
        centre = region.y + region.height / 2, region.x + region.width / 2
        if stem != self._stem:
            self.show_image(stem, centre)
        _, _, field, image = self.opened()
        part = Part(0, region.y, region.x, region.height, region.width)
        look_at(self.viewer, image, part)
        if not field.holds(part):
            field.move_to(centre)
        self.tell(f"{stem}, x {region.x}, y {region.y}: uncertainty {region.uncertainty:.2f}")

    def segment(self) -> None:
        """Hand this image over to `vlsenet segment`, with its report."""
        session, model, *_ = self.opened()
        image, folder = session.images[self._stem], session.root / "segmented" / self._stem
        self.told.setText("segmenting ...")
        self._jobs.start(
            lambda: segmented(image, model.loaded().path, folder),
            lambda lines: self.tell_page("; ".join([*lines[:2], "report"]), folder / "report.html"),
        )

    # ---- the end

    def _close_image(self) -> None:
        if self._image is not None:
            self._image.close()
        self._image = self.field = None

    def _close_session(self) -> None:
        self.save()
        self._close_image()
        if self._model is not None:
            self._model.forget()
        if self.session is not None:
            self.session.close()
        self.session, self._model, self._stem = None, None, ""

    def close_all(self) -> None:
        """Save, and let another window have the data set; a training is stopped."""
        self.watch.close()
        self._saver.stop()
        self._resting.close()
        self._close_session()
        self._jobs.close()

    def closeEvent(self, event: Any) -> None:
        """The dock is closed with its window."""
        self.close_all()
        super().closeEvent(event)
