"""An image as a model sees it: opened, measured, and ready for windows of it, of an image of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from pipeline.engine.prediction import ChunkPredictor, PredictionSettings, WindowSplitter
from pipeline.engine.scan_predictor import predictor_for
from pipeline.engine.sizes import network_scale
from pipeline.foreground.measurement import Foreground
from pipeline.images.rectangles import Part
from pipeline.images.volume import ScanVolume, open_volume
from pipeline.text import TextFeatures
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows, check_imaged
from pipeline.workflows.items import asked_prompts
from pipeline.workflows.model_file import TrainedModel

#: side of the parts that are looked at (px)
PART = 512


def text_of(model: TrainedModel) -> TextFeatures:
    """What a model is asked with: the phrases of its own phases."""
    prompts = asked_prompts(model.phases)
    model.learn_prompts([prompts] if isinstance(prompts, str) else prompts)
    return model.text.together(prompts)


@dataclass(frozen=True)
class SeenImage:
    """An image, opened for a model; to be closed.

    Attributes:
        path: of its file.
        model: that sees it.
        volume: its pixels.
        windows: of parts of `PART` pixels.
        foreground: where it shows rock, and its grey levels.
        settings: how the network is applied.
    """

    path: Path
    model: TrainedModel
    volume: ScanVolume
    windows: Windows
    foreground: Foreground
    settings: PredictionSettings

    @classmethod
    def opened(
        cls,
        path: Path,
        model: TrainedModel,
        info_bar: str | int = "auto",
        page: int | None = None,
        before_reading: Callable[[], None] | None = None,
    ) -> SeenImage:
        """Open an image, and look through it once.

        Args:
            path: of the file.
            model: that sees it.
            info_bar: as for `open_volume`.
            page: which image of a file of several.
            before_reading: as for `open_volume`.

        Raises:
            UserError: it can't be read, is too small, or shows no rock.
        """
        settings = PredictionSettings(chunk_size=PART, batch=1, mirror=False).with_shading(model.shading)
        volume = open_volume(str(path), page=page, info_bar=info_bar, before_reading=before_reading)
        try:
            scale = network_scale(volume.acquisition.pixel_size_nm, model.data["pixel_sizes_nm"])
            check_imaged(volume.shape, volume.rows, None, scale, str(path))
            plan = ChunkPlan(*volume.shape, chunk=PART)
            windows = Windows(plan, settings.halo, scale, rows=volume.rows.stop)
            foreground = Foreground.measured(volume, windows, settings.skip_empty, settings.shading)
        except BaseException:
            volume.close()
            raise
        return cls(path, model, volume, windows, foreground, settings)

    @cached_property
    def _predictor(self) -> ChunkPredictor:
        return predictor_for(
            self.volume,
            self.windows,
            self.foreground,
            self.model.network,
            text_of(self.model),
            self.settings,
            1,
            self.model.device,
        )

    def parts(self) -> Iterator[Part]:
        """Its parts that show rock, row by row."""
        plan = self.windows.plan
        for index in range(len(plan)):
            part = self.windows.imaged(plan[index])
            if part.height and not self.foreground.is_empty(plan, part):
                yield part

    def probability(self, part: Part) -> np.ndarray:
        """Probability of each phase of the model (K, H, W), float32, in a part; 0 where there is no rock."""
        return self._predictor.predict(part) * self.foreground.rock(self.windows.plan, part)

    def window(self, part: Part) -> torch.Tensor:
        """A part with what lies around it, as the network sees it (1, C, h, w)."""
        return WindowSplitter(self.volume, self.windows, self.foreground, 1).read(part)

    def grey(self, part: Part) -> np.ndarray:
        """Grey values (H, W) of a part."""
        return self.volume.read(0, part.y, part.x, part.height, part.width)

    def __enter__(self) -> SeenImage:
        return self

    def __exit__(self, *_: object) -> None:
        self.volume.close()
