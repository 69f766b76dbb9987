"""The dock: paint, preview, train, correct, next, segment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from napari import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QFileDialog, QListWidgetItem

from pipeline.annotations.session import LabelSession, data_set_of
from pipeline.annotations.stroke_store import REST, StrokeStore
from pipeline.bundle_files import default_model
from pipeline.errors import UserError
from pipeline.images.rectangles import Part, Window
from pipeline.label.dock_form import DockForm
from pipeline.label.jobs import Jobs, segmented
from pipeline.label.levels import ImageLevels
from pipeline.label.window_layers import (
    STROKES,
    add_image,
    add_strokes,
    colormap_of,
    colours_of,
    field_around,
    names_text,
    scale_of,
    show_preview,
)
from pipeline.phases import decided
from pipeline.workflows.label_loop.background_training import MODEL, BackgroundTraining, Verdict, take_over
from pipeline.workflows.label_loop.preview import Preview, Previews, fitting
from pipeline.workflows.label_loop.seen_image import SeenImage
from pipeline.workflows.label_loop.suggestion import Region, all_regions, ranked
from pipeline.workflows.model_file import TrainedModel, load_model

#: between two savings of strokes (ms), and between two looks at a training
_SAVE, _WATCH = 1000, 500


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
        self.training: BackgroundTraining | None = None
        self._image: ImageLevels | None = None
        self._store: StrokeStore | None = None
        self._field = Window(0, 0, 0, 0)
        self._stem = ""
        self._model: TrainedModel | None = None
        self._previews: Previews | None = None
        self._suggestions: list[Region] = []
        self._dirty = False
        self._jobs = Jobs(self, self.failed)
        self._connect()
        self._saver, self._watcher = QTimer(self), QTimer(self)
        self._saver.timeout.connect(self.save)
        self._watcher.timeout.connect(self._watch)
        if path is not None:
            self.open(path)

    def _connect(self) -> None:
        self.images.currentTextChanged.connect(self._chosen)
        self.phases.currentItemChanged.connect(lambda item, _: self._choose_phase(item))
        self.new_phase.returnPressed.connect(self._add_phase)
        actions = {
            self.open_button: self._ask_folder,
            self.add_button: self._add_phase,
            self.paint_here: self._move_field,
            self.preview_button: self.preview,
            self.train_button: self.train,
            self.stop_button: self.stop,
            self.next_button: self.next,
            self.segment_button: self.segment,
        }
        for button, action in actions.items():
            button.clicked.connect(partial(self._clicked, action))

    def _clicked(self, action: Callable[[], None], *_: Any) -> None:
        self.guarded(action)

    # ---- data set and images

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "A folder of images, or a data set")
        if folder:
            self.open(Path(folder))

    def open(self, path: Path) -> None:
        """Open a data set, a folder of images, or a scan.

        Raises:
            UserError: another window labels it, or there are no images.
        """
        self._close_session()
        self.session = LabelSession(data_set_of(path))
        self._show_phases()
        self.images.blockSignals(True)
        self.images.clear()
        self.images.addItems(list(self.session.images))
        self.images.blockSignals(False)
        self.show_image(self.images.currentText())
        if self.session.vanished:
            self.tell(f"labelled earlier, and gone now: {', '.join(self.session.vanished)}; their labels are kept")

    def _chosen(self, stem: str) -> None:
        if stem and stem != self._stem:
            self.guarded(lambda: self.show_image(stem))

    def show_image(self, stem: str, centre: tuple[float, float] | None = None) -> None:
        """Show another image of the data set, and what was painted on it.

        Args:
            stem: of its file.
            centre: of the field that can be painted on in a large image (row, column; px); None: its middle.
        """
        assert self.session is not None
        store = self.session.store(stem)
        self.save()
        self._close_image()
        image = ImageLevels(self.session.images[stem])
        self._stem, self._store, self._image = stem, store, image
        self.images.blockSignals(True)
        self.images.setCurrentText(stem)
        self.images.blockSignals(False)
        self.viewer.layers.clear()
        add_image(self.viewer, image, stem)
        self._field = field_around(store, centre or (store.shape[0] / 2, store.shape[1] / 2))
        self._add_strokes()
        self.viewer.scale_bar.visible = True
        self.viewer.reset_view()
        self._saver.start(_SAVE)

    def _add_strokes(self) -> None:
        assert self._store is not None
        assert self._image is not None
        assert self.session is not None
        layer = add_strokes(self.viewer, self._image, self._store.read(self._field), self._field, self.session)
        for event in (layer.events.paint, layer.events.labels_update, layer.events.set_data):
            event.connect(self._painted)
        self._choose_phase(self.phases.currentItem())
        self.viewer.layers.selection.active = layer
        self._dirty = False

    def _painted(self, *_: Any) -> None:
        self._dirty = True

    def save(self) -> None:
        """Put onto the disk what was painted since the last time; on a full disk, it is tried again."""
        if not self._dirty or self._store is None or STROKES not in self.viewer.layers:
            return
        try:
            changed = self._store.write(self._field, np.asarray(self.viewer.layers[STROKES].data).astype(np.uint8))
        except UserError as error:
            self.failed(error)
            return
        self._dirty = False
        if changed and self.live.isChecked() and not self._jobs.is_busy:
            self.guarded(self.preview)

    def _move_field(self) -> None:
        """In a large image, paint where the view is."""
        if self._store is None or self._image is None:
            return
        view = self._view()
        self._move_field_to((view.y + view.height / 2, view.x + view.width / 2))

    # ---- phases

    def _show_phases(self) -> None:
        assert self.session is not None
        self.phases.clear()
        colours = colours_of(self.session)
        for code, name in names_text(self.session):
            picture = QPixmap(16, 16)
            picture.fill(QColor(*colours[code]))
            item = QListWidgetItem(QIcon(picture), name if code != REST else "rest (none of the phases)")
            item.setData(256, code)
            self.phases.addItem(item)
        self.phases.setCurrentRow(0)

    def _choose_phase(self, item: QListWidgetItem | None) -> None:
        if item is not None and STROKES in self.viewer.layers:
            self.viewer.layers[STROKES].selected_label = int(item.data(256))

    def _add_phase(self) -> None:
        if self.session is None or not self.new_phase.text().strip():
            return
        self.save()
        self.session.add_phase(self.new_phase.text())
        self.new_phase.clear()
        self._show_phases()
        self.phases.setCurrentRow(self.phases.count() - 2)
        if STROKES in self.viewer.layers:
            self.viewer.layers[STROKES].colormap = colormap_of(self.session)

    # ---- preview

    def _view(self) -> Part:
        """What the canvas shows of the image (px)."""
        layer = self.viewer.layers[self._stem]
        corners = np.asarray(layer.corner_pixels, float)
        if layer.multiscale:
            corners = corners * np.asarray(layer.downsample_factors[layer.data_level])
        (top, left), (bottom, right) = np.floor(corners[0]), np.ceil(corners[1])
        return Part(0, int(top), int(left), max(1, int(bottom - top) + 1), max(1, int(right - left) + 1))

    def _loaded_model(self) -> TrainedModel:
        """The model of the data set, or the default one; it is read once."""
        assert self.session is not None
        own = self.session.root / MODEL
        path = own if own.is_file() else default_model()
        if path is None:
            raise UserError("there is no model: the default one was left out of this installation")
        if self._model is None or self._model.path != path:
            self._model, self._previews, self._suggestions = load_model(str(path)), None, []
        return self._model

    def preview(self) -> None:
        """Show what the strokes make of the view."""
        if self.session is None or self._store is None:
            raise UserError("open a folder first")
        self.save()
        session, store, view, stem = self.session, self._store, self._view(), self._stem

        def work() -> Preview:
            model = self._loaded_model()
            if self._previews is None or self._previews.path != session.images[stem]:
                self._previews = Previews(SeenImage.opened(session.images[stem], model))
            return self._previews.of(view, lambda part: store.read(Window(part.y, part.x, part.height, part.width)))

        def show(found: Preview) -> None:
            if stem == self._stem and self._image is not None:
                show_preview(self.viewer, self._image, found.codes, (found.part.y, found.part.x), session)
                self.viewer.layers.selection.active = self.viewer.layers[STROKES]
                self.tell("preview: paint where it is wrong, and preview again; then train")

        self.told.setText("looking at the view ...")
        self._jobs.start(work, show)

    # ---- training

    def train(self) -> None:
        """Train on all strokes, in a process of its own."""
        if self.session is None:
            raise UserError("open a folder first")
        if self.training is not None and self.training.is_running:
            raise UserError("a training is running; stop it first")
        self.save()
        self.training = BackgroundTraining(self.session, self.training_settings())
        start = "the model before" if self.training.start else "scratch, as no model knows these phases"
        left_out = ", ".join(self.training.left_out)
        without = f" (without {left_out}, where nothing was painted)" if left_out else ""
        self.tell(f"training from {start}{without}; you can go on painting")
        self.progress.setRange(0, 0)
        self._watcher.start(_WATCH)

    def training_settings(self) -> dict[str, object]:
        """Options of `vlsenet train`."""
        return {"max_epochs": self.epochs.value()}

    def stop(self) -> None:
        """Stop the training; its best model so far may still be taken over."""
        if self.training is not None:
            self.training.stop()

    def _watch(self) -> None:
        training = self.training
        if training is None:
            return
        if training.epochs:
            self.progress.setRange(0, training.epochs)
            self.progress.setValue(training.epoch)
            self.told.setText(next((one for one in reversed(training.lines) if one.startswith("epoch ")), ""))
        if training.is_running:
            return
        self._watcher.stop()
        self.progress.setRange(0, 1)
        self.progress.setValue(0)
        if training.problem is not None:
            self.failed(UserError(training.problem))
            return
        self.told.setText("comparing with the model before, on held-out strokes ...")
        self._jobs.start(training.verdict, self._judged)

    def _judged(self, verdict: Verdict) -> None:
        assert self.session is not None
        if verdict.is_better:
            path = take_over(self.session.root, verdict)
            self.tell(f"{verdict}. It is {path} now")
            self._model = None
            self.guarded(self.show_model)
        else:
            self.tell(f"{verdict}. The model before stays; the new one is {verdict.model}")

    def show_model(self) -> None:
        """Show what the model finds in the view."""
        session, stem, view = self.session, self._stem, self._view()
        assert session is not None

        def work() -> Any:
            model = self._loaded_model()
            with SeenImage.opened(session.images[stem], model) as image:
                part = fitting(view, image)
                found = decided(image.probability(part), model.thresholds)
            names = list(session.meaning.values.names)
            table = np.array(
                [REST, *(names.index(p.name) + REST + 1 if p.name in names else REST for p in model.phases)]
            )
            return part, table[found].astype(np.uint8)

        def show(found: Any) -> None:
            part, codes = found
            if stem == self._stem and self._image is not None:
                show_preview(self.viewer, self._image, codes, (part.y, part.x), session)
                self.viewer.layers.selection.active = self.viewer.layers[STROKES]

        self._jobs.start(work, show)

    # ---- next and segment

    def next(self) -> None:
        """Go to the region of which the model is most unsure."""
        if self.session is None:
            raise UserError("open a folder first")
        self.save()
        if self._suggestions:
            self._go_to(self._suggestions.pop(0))
            return
        root = self.session.root

        def work() -> list[Region]:
            return ranked(all_regions(root, self._loaded_model(), 256)[0], 20)

        def show(found: list[Region]) -> None:
            self._suggestions = found
            if not found:
                self.tell("nothing is left that is not labelled")
            else:
                self._go_to(self._suggestions.pop(0))

        self.told.setText("asking the model where it is unsure ...")
        self._jobs.start(work, show)

    def _go_to(self, region: Region) -> None:
        assert self.session is not None
        stem = next(stem for stem, path in self.session.images.items() if path == region.image)
        centre = region.y + region.height / 2, region.x + region.width / 2
        if stem != self._stem:
            self.show_image(stem, centre)
        assert self._image is not None
        scale, _ = scale_of(self._image)
        self._camera.center = (centre[0] * scale[0], centre[1] * scale[1])
        self._camera.zoom = 400 / (region.height * scale[0])
        if not self._holds(region):
            self._move_field_to(centre)
        self.tell(f"{stem}, x {region.x}, y {region.y}: uncertainty {region.uncertainty:.2f}")

    @property
    def _camera(self) -> Any:
        """Of the canvas; napari 0.9 has it in the scene."""
        return getattr(self.viewer, "scene", self.viewer).camera

    def _holds(self, region: Region) -> bool:
        field = self._field
        return (
            field.top <= region.y
            and field.left <= region.x
            and region.y + region.height <= field.top + field.height
            and region.x + region.width <= field.left + field.width
        )

    def _move_field_to(self, centre: tuple[float, float]) -> None:
        assert self._store is not None
        self.save()
        self._field = field_around(self._store, centre)
        self.viewer.layers.remove(STROKES)
        self._add_strokes()

    def segment(self) -> None:
        """Hand this image over to `vlsenet segment`, with its report."""
        if self.session is None:
            raise UserError("open a folder first")
        self.save()
        image, folder = self.session.images[self._stem], self.session.root / "segmented" / self._stem
        model = self._loaded_model().path

        self.told.setText("segmenting ...")
        self._jobs.start(
            partial(segmented, image, model, folder),
            lambda lines: self.tell("; ".join([*lines[:2], f"report: {folder / 'report.html'}"])),
        )

    # ---- the end

    def _close_image(self) -> None:
        if self._image is not None:
            self._image.close()
        self._image = self._store = None

    def _close_session(self) -> None:
        self.save()
        self._close_image()
        if self.session is not None:
            self.session.close()
        self.session, self._stem = None, ""

    def close_all(self) -> None:
        """Save, and let another window have the data set; a training is stopped."""
        self.stop()
        self._watcher.stop()
        self._saver.stop()
        self._close_session()
        self._jobs.close()

    def closeEvent(self, event: Any) -> None:
        """The dock is closed with its window."""
        self.close_all()
        super().closeEvent(event)
