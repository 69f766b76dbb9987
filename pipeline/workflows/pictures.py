"""Overlays of fixed validation images every few epochs, so that a person sees the training at work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ignite.engine import Events
from monai.engines import SupervisedEvaluator

from pipeline.visual import error_overlay, write_png
from pipeline.workflows.tracking import TrackedRun

#: images in a set
_COUNT = 3


class ValidationPictures:
    """Writes error overlays of the first validation images, as files and to MLflow.

    Args:
        directory: folder for ``epoch_0010_NAME.png``.
        run: MLflow run that takes the pictures too.
        interval: epochs between two sets of pictures; the first epoch has one.
    """

    def __init__(self, directory: str, run: TrackedRun, interval: int = 5) -> None:
        self._directory = Path(directory)
        self._run = run
        self._interval = interval
        self._seen = 0

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Draw while ``evaluator`` runs; its output holds image, probability (``pred``) and label."""
        evaluator.add_event_handler(Events.STARTED, self._begin)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._draw)

    def _begin(self, _: SupervisedEvaluator) -> None:
        self._seen = 0

    def _draw(self, evaluator: SupervisedEvaluator) -> None:
        epoch = evaluator.state.epoch
        if epoch != 1 and epoch % self._interval:
            return
        # this epoch's threshold is known at its end only
        threshold = evaluator.state.metrics.get("val_threshold", 0.5)
        for item, batch in zip(evaluator.state.output, evaluator.state.batch, strict=True):
            if self._seen == _COUNT:
                return
            self._seen += 1
            image, probability, truth = (np.asarray(item[key].cpu())[0] for key in ("image", "pred", "label"))
            picture = error_overlay(image, probability >= threshold, truth > 0)
            write_png(self._directory / f"epoch_{epoch:04d}_{batch['name']}.png", picture)
            self._run.log_picture(picture, f"validation_{batch['name']}", epoch)
