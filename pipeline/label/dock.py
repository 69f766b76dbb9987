"""The dock: paint, preview, train, correct, next, segment."""

from __future__ import annotations

from pathlib import Path

from napari import Viewer

from pipeline.annotations.session import LabelSession
from pipeline.errors import UserError
from pipeline.images.rectangles import Part
from pipeline.label.asked_model import AskedModel, ModelView
from pipeline.label.canvas_view import look_at
from pipeline.label.handed_over import results_folder, segmented
from pipeline.label.open_dock import BEGIN, OpenDock
from pipeline.label.training_watch import TrainingWatch
from pipeline.label.window_layers import MASK, PREVIEW, show_classes, show_uncertainty
from pipeline.workflows.label_loop.preview import Preview
from pipeline.workflows.label_loop.suggestion import Region, all_regions, ranked


class LabelDock(OpenDock):
    """Leads through the loop on one data set.

    Args:
        napari_viewer: the window that it is in.
        path: a data set, a folder of images, or a scan; None: it is asked for.
    """

    def __init__(self, napari_viewer: Viewer, path: Path | None = None) -> None:
        super().__init__(napari_viewer)
        self._suggestions: list[Region] = []
        self._is_stale = False
        self.watch = TrainingWatch(self, self._jobs, self._new_model)
        self._connect()
        if path is None:
            self.told.setText(BEGIN)
            return
        try:
            self.open(path)
        except BaseException:
            self.close_all()
            raise

    def _connect(self) -> None:
        self.new_phase.returnPressed.connect(self._guard(self.add_phase))
        actions = {
            self.open_button: lambda: self.open(self.asked_folder()),
            self.scan_button: lambda: self.open(self.asked_scan()),
            self.add_button: self.add_phase,
            self.preview_button: self.preview,
            self.train_button: self.train,
            self.stop_button: self.watch.stop,
            self.model_button: self.show_model,
            self.next_button: self.next,
            self.segment_button: self.segment,
        }
        for button, action in actions.items():
            button.clicked.connect(self._guard(action))
        self.live.toggled.connect(self._guard(self.strokes_changed))

    def open(self, path: Path | None) -> None:
        super().open(path)
        if path is not None:
            self._suggestions = []

    def save(self) -> None:
        super().save()
        if self._is_stale and self.live.isChecked() and not self._jobs.is_busy:
            self._is_stale = False
            self.guarded(self.preview)

    def strokes_changed(self) -> None:
        self._is_stale = True  # the next saving looks whether there is time for a preview

    def close_all(self) -> None:
        if not self._is_closed:
            self.watch.close()
        super().close_all()

    # ---- phases

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
                show_classes(self.viewer, image, found.codes, found.part, session, PREVIEW)
                self._to_strokes()
                self.tell("preview: paint where it is wrong, and preview again; then train")

        self.told.setText("looking at the view ...")
        self._jobs.start(lambda: model.preview(path, view, field.store), show)

    def train(self) -> None:
        """Train on all strokes, in a process of its own."""
        session, *_ = self.opened()
        self.watch.start(session)

    def _new_model(self) -> None:
        self._suggestions = []
        self.guarded(lambda: self._show_mask(self._view(), self.told.text()))

    def show_model(self) -> None:
        """Show what the model finds in the view, and where it is unsure."""
        self.opened()
        self.told.setText("asking the model ...")
        self._show_mask(self._view(), "the model's mask; where it is unsure: click the eye of the layer uncertainty")

    def _show_mask(self, view: Part, told: str) -> None:
        """Show what the model finds in a part of the image, and say something then."""
        session, model, _, image = self.opened()
        path, stem = session.images[self._stem], self._stem

        def show(found: ModelView) -> None:
            if stem == self._stem:
                show_classes(self.viewer, image, found.codes, found.part, session, MASK)
                show_uncertainty(self.viewer, image, found.uncertainty, found.part)
                self._to_strokes()
                self.told.setText(told)

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
        self._jobs.start(lambda: ranked(self._all_regions(session, model), 20), show)

    def _all_regions(self, session: LabelSession, model: AskedModel) -> list[Region]:
        regions, problems = all_regions(
            session.root, model.loaded(), 256, before_reading=self._jobs.check, say=self._jobs.say
        )
        if not regions and problems:
            raise UserError("\n".join(problems))
        known = set(session.images.values())  # of the folder, which may have more by now
        return [region for region in regions if region.image in known]

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
        told = f"{stem}, x {region.x}, y {region.y}: uncertainty {region.uncertainty:.2f}"
        self.tell(told)
        # with what lies around it; the canvas says what it shows only when it was drawn
        side = max(region.height, region.width)
        around = Part(0, region.y - side, region.x - side, region.height + 2 * side, region.width + 2 * side)
        self._show_mask(around, told)

    def segment(self) -> None:
        """Hand this image over to `vlsenet segment`, with its report."""
        session, model, *_ = self.opened()
        image, stem = session.images[self._stem], self._stem

        def work() -> tuple[list[str], Path]:
            asked = model.loaded()
            folder = results_folder(session.root, image, stem, asked.sha256)
            return segmented(image, asked.path, folder, self._jobs.check, self._jobs.say), folder / "report.html"

        def show(done: tuple[list[str], Path]) -> None:
            lines, page = done
            self.tell_page("; ".join([*(lines or ["it was segmented before"])[:2], "report"]), page)

        self.told.setText("segmenting ...")
        self._jobs.start(work, show)
