"""The run of a training: start or resume, interrupts, and how it ended."""

from __future__ import annotations

import logging
import signal
from collections.abc import Mapping
from types import FrameType
from typing import Any

from ignite.engine import Events
from ignite.handlers import EarlyStopping
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from pipeline.workflows.checkpoints import TrainingCheckpoints
from pipeline.workflows.progress import TrainingProgress
from pipeline.workflows.tracking import TrackedRun

logger = logging.getLogger("vlsenet")

#: exit status of a command that was interrupted, as shells have it for SIGINT
INTERRUPTED = 130


class TrainingRun:
    """Brings trainer, validation, checkpoints, MLflow and progress together and runs them.

    Handlers that need the trainer can't stand in the trainer's own config (a circular reference for MONAI), so they
    are attached here, in the order in which they must act at the end of an epoch.

    Args:
        trainer: validates each epoch by a ``ValidationHandler`` of its own.
        evaluator: the validation.
        checkpoints: best and last model.
        run: MLflow run.
        early_stop: watches the validation.
        max_epochs: epochs in all.
    """

    def __init__(
        self,
        trainer: SupervisedTrainer,
        evaluator: SupervisedEvaluator,
        checkpoints: TrainingCheckpoints,
        run: TrackedRun,
        early_stop: EarlyStopping,
        max_epochs: int,
    ) -> None:
        self._trainer = trainer
        self._evaluator = evaluator
        self._checkpoints = checkpoints
        self._run = run
        self._early_stop = early_stop
        self._max_epochs = max_epochs
        self._progress = TrainingProgress()

    def prepare(self, resume: bool, files: Mapping[str, Any]) -> None:
        """Load what is to be resumed, open the MLflow run, attach everything.

        Args:
            resume: go on from ``last.pt``.
            files: descriptions of the training for MLflow, file name to content.
        """
        if resume:
            self._checkpoints.resume(self._trainer, self._evaluator, self._max_epochs)
            logger.info("resuming after epoch %d", self._trainer.state.epoch)
        self._run.start(files)
        if not resume:
            self._checkpoints.start_anew()  # not before the store has answered: until then nothing is lost
        self._evaluator.add_event_handler(Events.EPOCH_COMPLETED, self._early_stop)
        self._run.attach(self._trainer, self._evaluator)
        self._progress.attach(self._trainer, self._evaluator)
        self._checkpoints.attach(self._trainer, self._evaluator)

    def run(self) -> None:
        """Train; on an interrupt keep the last whole epoch, mark the MLflow run, and say how to go on."""
        previous = signal.signal(signal.SIGTERM, _interrupt)
        try:
            self._trainer.run()
        except KeyboardInterrupt:
            self._progress.close()
            self._finish("KILLED")
            if self._checkpoints.last.exists():
                logger.warning("interrupted; with --resume the training goes on from %s", self._checkpoints.last)
            else:
                logger.warning("interrupted before the first epoch ended: nothing to go on from")
            raise SystemExit(INTERRUPTED) from None
        except BaseException as error:
            self._progress.close()
            self._finish("FAILED", repr(error))
            raise
        finally:
            signal.signal(signal.SIGTERM, previous)
        self._finish("FINISHED")
        state = self._evaluator.state
        logger.info("best %s %.4f in epoch %d", state.key_metric_name, state.best_metric, state.best_metric_epoch)
        logger.info("model: %s", self._checkpoints.best)
        logger.info("curves and pictures: mlflow ui --workers 1 --backend-store-uri '%s'", self._run.tracking_uri)

    def _finish(self, status: str, error: str = "") -> None:
        self._run.finish(status, (self._checkpoints.best,), error)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
