"""The run of a training: schedule, scores, start, resume, interrupts and end."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import Any

from ignite.engine import Events
from ignite.handlers import EarlyStopping
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import from_engine

from pipeline.errors import INTERRUPTED, UserError, first_line
from pipeline.metrics import PhaseMetrics
from pipeline.metrics.phase_metrics import THRESHOLD, metric_name
from pipeline.phases import Phase
from pipeline.tracking.logged_model import ModelToLog
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.tracking.training_link import write_training_link
from pipeline.workflows.checkpoints import TrainingCheckpoints
from pipeline.workflows.model_file import read_model_file
from pipeline.workflows.progress import TrainingProgress
from pipeline.workflows.ranks import OtherProcessFailed, Ranks, distributed
from pipeline.workflows.training_log import TrainingLog

logger = logging.getLogger("vlsenet")

#: the modules of PyTorch's compiler errors; importing them just for the names would take seconds
_COMPILER = ("torch._dynamo", "torch._inductor")
_ALONE = Ranks()


def warmup_cosine(total_steps: int, warmup_steps: int, final: float = 0.01) -> Callable[[int], float]:
    """Factor on the learning rate: linear warm-up, then half a cosine down to ``final``.

    For ``torch.optim.lr_scheduler.LambdaLR``, whose state holds only the step: a training that is resumed with more
    epochs follows the longer cosine, where a stored ``T_max`` would make the rate rise again.
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor


def validation_metrics(phases: Sequence[Phase]) -> PhaseMetrics:
    """The scores of phases over an evaluator's `pred` and `label`, for its key metric `val_dice`."""
    return PhaseMetrics([phase.name for phase in phases], output_transform=from_engine(["pred", "label"]))


class EpochMean:
    """Mean over an epoch of a number in the trainer's output, as ``trainer.state.metrics[name]``.

    Args:
        name: name of the metric.
        key: key of the number in the output.
    """

    def __init__(self, name: str, key: str) -> None:
        self._name = name
        self._key = key
        self._values: list[float] = []

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Collect from ``trainer``; before handlers that read the metric at the end of an epoch."""
        # not Ignite's Average, which asks all processes: where there are several, they have the same loss
        trainer.add_event_handler(Events.EPOCH_STARTED, self._begin)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def _begin(self, _: SupervisedTrainer) -> None:
        self._values.clear()

    def _add(self, trainer: SupervisedTrainer) -> None:
        self._values.append(trainer.state.output[self._key].item())

    def _end(self, trainer: SupervisedTrainer) -> None:
        trainer.state.metrics[self._name] = math.fsum(self._values) / len(self._values)


class EpochValidation:
    """Validates every so many epochs, and after the last one whatever its number: MONAI's own leaves it out.

    Args:
        validator: the validation.
        interval: in epochs.
    """

    def __init__(self, validator: SupervisedEvaluator, interval: int) -> None:
        self._validator = validator
        self._interval = interval

    def attach(self, trainer: SupervisedTrainer) -> None:
        """Validate ``trainer``; before handlers that read its scores."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED(event_filter=self._is_due), self._validate)

    def _is_due(self, trainer: SupervisedTrainer, epoch: int) -> bool:
        return epoch % self._interval == 0 or epoch == trainer.state.max_epochs

    def _validate(self, trainer: SupervisedTrainer) -> None:
        self._validator.run(trainer.state.epoch)


class TrainingRun:
    """Connects trainer, validation, checkpoints, MLflow and progress, and runs them.

    Handlers that need the trainer can't stand in the trainer's own config (a circular reference for MONAI), so they
    are attached here, in the order in which they must act at the end of an epoch.

    With several processes (`torchrun`) all train, and only the first one validates, writes and logs, while the others
    wait for it at the end of the epoch.

    Args:
        trainer: validates by an `EpochValidation` of its own.
        evaluator: the validation.
        checkpoints: best and last model.
        run: MLflow run.
        early_stop: watches the validation.
        max_epochs: epochs in all.
        ranks: the processes that train together.
        describe: adds to the file of the best model what can be said at the end only.
    """

    def __init__(
        self,
        trainer: SupervisedTrainer,
        evaluator: SupervisedEvaluator,
        checkpoints: TrainingCheckpoints,
        run: TrackedRun,
        early_stop: EarlyStopping,
        max_epochs: int,
        ranks: Ranks = _ALONE,
        describe: Callable[[Path], None] | None = None,
    ) -> None:
        self._describe = describe
        self._trainer = trainer
        self._evaluator = evaluator
        self._checkpoints = checkpoints
        self._run = run
        self._early_stop = early_stop
        self._max_epochs = max_epochs
        self._ranks = ranks
        self._interrupted = False
        self._progress = TrainingProgress()

    @cached_property
    def _log(self) -> TrainingLog:
        return TrainingLog(self._checkpoints.best.parent.parent)

    def prepare(self, resume: bool, files: Mapping[str, Any]) -> None:
        """Load what is to be resumed, open the MLflow run, attach everything.

        Args:
            resume: resume from ``last.pt``.
            files: descriptions of the training for MLflow, file name to content.

        Raises:
            UserError: the training can't be resumed or had stopped early, the store does not answer, or torchrun
                started several processes without `multi_gpu_train.yaml`.
        """
        started = Ranks.of_environment().count
        if started != self._ranks.count:
            raise UserError(
                f"torchrun started {started} processes, each of which would train for itself: "
                "add multi_gpu_train.yaml after train.yaml"
            )
        if self._ranks.is_first:
            self._checkpoints.lock()
        try:
            self._prepare(resume, files)
        except BaseException:
            self._checkpoints.unlock()
            raise

    def _prepare(self, resume: bool, files: Mapping[str, Any]) -> None:
        if resume:
            self._checkpoints.resume(self._trainer, self._evaluator, self._max_epochs)
            if self._early_stop.counter >= self._early_stop.patience:
                raise UserError(
                    f"the training already stopped early after epoch {self._trainer.state.epoch}: "
                    f"{self._early_stop.patience} validations brought no better Dice. Its model is "
                    f"{self._checkpoints.best}; to continue, give a larger --early_stop_patience"
                )
            logger.info("resuming after epoch %d", self._trainer.state.epoch)
        if self._ranks.is_first:
            self._run.start(files)
            if not resume:
                self._checkpoints.start_anew()  # until the store is known to be right, nothing is lost
            write_training_link(self._checkpoints.best.parent, self._run.tracking_uri, str(self._run.run_id))
            self._evaluator.add_event_handler(Events.EPOCH_COMPLETED, self._early_stop)
            self._run.attach(self._trainer, self._evaluator)
            self._log.begin(self._trainer.state.epoch if resume else 0)
            self._log.attach(self._trainer, self._evaluator)
            self._progress.attach(self._trainer, self._evaluator)
            self._checkpoints.attach(self._trainer, self._evaluator)
        if self._ranks.count > 1:
            self._trainer.add_event_handler(Events.EPOCH_COMPLETED, self._stop_together)

    def run(self) -> None:
        """Train; on an interrupt keep the last complete epoch, mark the MLflow run, and say how to resume."""
        with self._ranks.joined(self._trainer.state.device):
            if self._ranks.count > 1:
                self._trainer.network = distributed(self._trainer.network, self._trainer.state.device)
            if self._ranks.is_first:
                self._run_first()
            else:
                self._run_other()

    def _run_other(self) -> None:
        """Train with the first process, which reports how it ended."""
        try:
            self._trainer.run()
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except RuntimeError as error:
            if self._ranks.has_lost_another(error):
                raise OtherProcessFailed(1) from error
            raise

    def _run_first(self) -> None:
        previous = signal.signal(signal.SIGTERM, self._interrupt)
        if self._trainer.compile:
            logger.info("compiling the network in the first step takes minutes")
        try:
            self._trainer.run()
            if self._describe is not None and self._checkpoints.best.exists():
                self._describe(self._checkpoints.best)
        except BaseException as error:
            self._progress.close()
            # an interrupt of all processes may appear as a connection closed by another process
            if self._interrupted or isinstance(error, KeyboardInterrupt):
                self._finish("KILLED")
                self._report_interrupt()
                raise SystemExit(INTERRUPTED) from None
            if self._ranks.has_lost_another(error):
                self._finish("FAILED", "another process of this training has ended")
                logger.error("another process has ended; --resume resumes from the last epoch")
                raise OtherProcessFailed(1) from error
            self._finish("FAILED", repr(error))
            if type(error).__module__.startswith(_COMPILER):
                raise UserError(f"torch.compile failed ({first_line(error)}); train without --compile") from error
            raise
        finally:
            signal.signal(signal.SIGTERM, previous)
            self._checkpoints.unlock()
        self._finish("FINISHED")
        state = self._evaluator.state
        logger.info("best %s %.4f in epoch %d", state.key_metric_name, state.best_metric, state.best_metric_epoch)
        kept = {name: value for name, value in state.metrics.items() if name.endswith(metric_name(THRESHOLD))}
        logger.info(
            "%s is at the threshold that suits the validation images best; that carries over badly, so the model takes "
            "along %s (of the last validation)",
            state.key_metric_name,
            ", ".join(f"{value:.2f}" for value in kept.values()),
        )
        logger.info("model: %s", self._checkpoints.best)
        logger.info("curves and pictures: vlsenet mlflow %s", quote(str(self._log.table.parent)))

    def _report_interrupt(self) -> None:
        if self._checkpoints.last.exists():
            logger.warning("interrupted; --resume resumes from %s", self._checkpoints.last)
        else:
            logger.warning("interrupted before the end of the first epoch: there is nothing to resume from")

    def _stop_together(self, trainer: SupervisedTrainer) -> None:
        """Wait for what the first process does at the end of an epoch; if it stops early, all do."""
        if self._ranks.first_does(lambda: bool(trainer.should_terminate)) and not self._ranks.is_first:
            trainer.terminate()

    def _interrupt(self, signum: int, frame: FrameType | None) -> None:
        self._interrupted = True
        raise KeyboardInterrupt

    def _finish(self, status: str, error: str = "") -> None:
        self._log.draw()
        self._run.log_files([self._log.table, self._log.curves], "curves")
        self._run.finish(status, self._model(), error)

    def _model(self) -> ModelToLog | None:
        """The best model, where an epoch has been validated."""
        best = self._checkpoints.best
        if not best.exists():
            return None
        content = read_model_file(str(best))
        state = self._evaluator.state
        scores = {f"best_{state.key_metric_name}": float(state.best_metric)}
        phases = tuple(str(phase["name"]) for phase in content["data"]["phases"])
        return ModelToLog(best, str(content["network_settings"]["network"]), phases, scores, state.best_metric_epoch)
