"""The model of a data set, and what it is asked about the view: previews, its own mask, and where it is unsure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.annotations.stroke_store import REST, StrokeStore
from pipeline.bundle_files import default_model
from pipeline.errors import UserError
from pipeline.images.rectangles import Part, Window
from pipeline.phases import decided
from pipeline.workflows.label_loop.background_training import MODEL
from pipeline.workflows.label_loop.preview import Preview, Previews, fitting
from pipeline.workflows.label_loop.seen_image import SeenImage
from pipeline.workflows.label_loop.suggestion import entropy
from pipeline.workflows.model_file import TrainedModel, load_model


@dataclass(frozen=True)
class ModelView:
    """What a model finds in a part of an image.

    Attributes:
        part: of the image.
        codes: (H, W), uint8: the class of each pixel, as strokes have it.
        uncertainty: (H, W), float32, 0 to 1.
    """

    part: Part
    codes: np.ndarray
    uncertainty: np.ndarray


class AskedModel:
    """The model that a data set has of its own, or else the default one; read when it is first asked.

    It is asked in one thread, that of the jobs.

    Args:
        root: folder of the data set.
        check: is called while an image is read, and may raise to end that.
    """

    def __init__(self, root: Path, check: Callable[[], None]) -> None:
        self._root, self._check = root, check
        self._model: TrainedModel | None = None
        self._written = 0
        self._previews: Previews | None = None

    def loaded(self) -> TrainedModel:
        """The model.

        Raises:
            UserError: there is none.
        """
        own = self._root / MODEL
        path = own if own.is_file() else default_model()
        if path is None:
            raise UserError("there is no model: the default one was left out of this installation")
        written = path.stat().st_mtime_ns
        if self._model is None or (self._model.path, self._written) != (path, written):
            self.close()
            self._model, self._written = load_model(str(path)), written
        return self._model

    def close(self) -> None:
        """Let go of the model and of the image that was previewed."""
        self._model = None
        self._forget_previews()

    def _forget_previews(self) -> None:
        if self._previews is not None:
            self._previews.image.volume.close()
        self._previews = None

    def preview(self, image: Path, view: Part, store: StrokeStore) -> Preview:
        """What strokes make of a view of an image, on the model's features.

        Raises:
            UserError: too little was painted, or the image can't be read.
        """
        return self._opened(image).of(view, lambda part: store.read(Window(part.y, part.x, part.height, part.width)))

    def prepare(self, image: Path) -> None:
        """Look through an image, so that its first preview need not wait; what is wrong with it, that will say."""
        with suppress(UserError):
            self._opened(image)

    def _opened(self, image: Path) -> Previews:
        model = self.loaded()
        if self._previews is None or self._previews.path != image:
            self._forget_previews()
            self._previews = Previews(SeenImage.opened(image, model, before_reading=self._check))
        return self._previews

    def view(self, image: Path, view: Part, names: Sequence[str]) -> ModelView:
        """What the model itself finds in a view of an image.

        Args:
            image: its file.
            view: of it (px); it is cut as that of a preview.
            names: of the phases of the strokes, in order of their codes.

        Raises:
            UserError: the image can't be read, or the view shows nothing of it.
        """
        model = self.loaded()
        with SeenImage.opened(image, model, before_reading=self._check) as seen:
            part = fitting(view, seen)
            probability = seen.probability(part)
        own = [phase.name for phase in model.phases]
        table = np.array([REST, *(names.index(name) + REST + 1 if name in names else REST for name in own)], np.uint8)
        return ModelView(part, table[decided(probability, model.thresholds)], entropy(probability).astype(np.float32))
