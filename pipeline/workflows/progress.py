"""Progress of a training: a bar with the time left, a line for each epoch, and pictures of validation images."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from tqdm.auto import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from pipeline.errors import UserError
from pipeline.files import name_that_fits
from pipeline.metrics.phase_metrics import THRESHOLD, metric_name
from pipeline.phases import PORE
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.visual import error_overlay, write_png

logger = logging.getLogger("vlsenet")

#: images in a set
_COUNT = 3

#: scores in the line of an epoch, where there are such
_SHOWN = ("dice", "porosity_error", "area_error")


class ValidationPictures:
    """Writes error overlays of the first validation images, as files and to MLflow.

    Args:
        directory: folder for ``epoch_0010_NAME.png``.
        run: MLflow run that takes the pictures too.
        interval: epochs between two sets of pictures; the first validation has one, and that which comes with or after
            each multiple of the interval.
        phases: names of the phases; of several each picture has a panel for those that the image's labels name.
    """

    def __init__(self, directory: str, run: TrackedRun, interval: int = 5, phases: Sequence[str] = (PORE,)) -> None:
        self._directory = Path(directory)
        self._run = run
        self._interval = interval
        self._phases = tuple(phases)
        self._seen = 0
        self._sets: int | None = None  # multiples of the interval before the last validation
        self._draws = False

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Draw while ``evaluator`` runs; its output holds image, probability (``pred``) and label."""
        evaluator.add_event_handler(Events.STARTED, self._begin)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._draw)

    def _begin(self, evaluator: SupervisedEvaluator) -> None:
        self._seen = 0
        before, self._sets = self._sets, evaluator.state.max_epochs // self._interval  # that of the training
        self._draws = before is None or self._sets > before

    def _draw(self, evaluator: SupervisedEvaluator) -> None:
        epoch = evaluator.state.epoch
        if not self._draws:
            return
        # this epoch's thresholds are known at its end only
        metrics, several = evaluator.state.metrics, len(self._phases) > 1
        names = [metric_name(THRESHOLD, phase if several else None) for phase in self._phases]
        thresholds = [metrics.get(name, 0.5) for name in names]
        for item, batch in zip(evaluator.state.output, evaluator.state.batch, strict=True):
            if self._seen == _COUNT:
                return
            self._seen += 1
            (image,), probability, truth = (np.asarray(item[key].cpu()) for key in ("image", "pred", "label"))
            panels = [
                error_overlay(image, (p >= threshold) & (t >= 0), t > 0)
                for p, t, threshold in zip(probability, truth, thresholds, strict=True)
                if (t >= 0).any()
            ]
            picture = np.concatenate(panels, axis=1)
            write_png(
                self._directory / name_that_fits(batch["name"], before=f"epoch_{epoch:04d}_", after=".png"), picture
            )
            self._run.log_picture(picture, f"validation_{batch['name']}", epoch)


def _said_once(engine: Engine) -> None:
    """Drop Ignite's line that a run ended by an exception, which goes on and is told where the command ends."""
    engine.logger.addFilter(_is_of_no_exception)


def _is_of_no_exception(_: logging.LogRecord) -> bool:
    return sys.exc_info()[1] is None


class TrainingProgress:
    """One bar over all steps of a training, and one logged line per epoch with the scores."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None

    def attach(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        """Show the progress of ``trainer``; to be attached after its validation."""
        for engine in (trainer, evaluator):
            _said_once(engine)
        trainer.add_event_handler(Events.STARTED, self._open)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._line, evaluator)
        # not on EXCEPTION_RAISED: Ignite would consider the exception handled, and the run finished
        trainer.add_event_handler(Events.COMPLETED, self.close)

    def _open(self, trainer: SupervisedTrainer) -> None:
        total = trainer.state.max_epochs * trainer.state.epoch_length
        self._bar = tqdm(total=total, initial=trainer.state.iteration, unit="step", desc="training", mininterval=1)

    def _step(self, trainer: SupervisedTrainer) -> None:
        loss = trainer.state.output["loss"].item()
        if not math.isfinite(loss):
            raise UserError(
                f"the loss became {loss} in epoch {trainer.state.epoch}: the training diverged; "
                "start again with a smaller --learning_rate"
            )
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            self._bar.update()

    def _line(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        validated = evaluator.state.epoch == trainer.state.epoch
        metrics = evaluator.state.metrics if validated else {}
        scores = {name: metrics[name] for name in map(metric_name, _SHOWN) if name in metrics}
        best = " (best so far)" if evaluator.state.best_metric_epoch == trainer.state.epoch else ""
        with logging_redirect_tqdm([logger, logging.getLogger()]):
            logger.info(
                "epoch %d/%d  train_loss %.4f  %s%s",
                trainer.state.epoch,
                trainer.state.max_epochs,
                trainer.state.metrics["train_loss"],
                "  ".join(f"{name} {value:.4f}" for name, value in scores.items()),
                best,
            )

    def close(self, *_: object) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class ImageProgress:
    """A bar over the images of an evaluation or inference.

    Args:
        total: number of images.
    """

    def __init__(self, total: int) -> None:
        self._bar = tqdm(total=total, unit="image", desc="images", disable=total == 0, delay=1)

    def attach(self, evaluator: SupervisedEvaluator) -> None:
        """Count the images of ``evaluator``."""
        _said_once(evaluator)
        evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        evaluator.add_event_handler(Events.COMPLETED, self._close)

    def _step(self, evaluator: SupervisedEvaluator) -> None:
        self._bar.update(len(evaluator.state.batch))

    def _close(self, *_: object) -> None:
        self._bar.close()
