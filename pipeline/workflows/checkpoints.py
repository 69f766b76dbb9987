"""Checkpoints of a training: the last epoch, to resume from, and the best epoch, to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any, Protocol, TextIO

import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer

import pipeline
from pipeline.bundle_files import flattened
from pipeline.changed_settings import changed_settings
from pipeline.data.fingerprints import changes, hash_of
from pipeline.errors import UserError
from pipeline.files import atomic_path
from pipeline.locks import take_lock
from pipeline.workflows.tensor_file import load_tensors

#: what to do where a training can't be resumed
ANEW = "--overwrite starts from scratch"
#: settings that a message names
_SHOWN = 6
#: what trainings of earlier versions don't say of their network
_EARLIER_NETWORK = {"phases": 1, "in_channels": 1, "reach": None}


class Stateful(Protocol):
    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state: Any) -> Any: ...


class TrainingCheckpoints:
    """Writes ``best.pt`` when validation improves and ``last.pt`` after every epoch, each atomically.

    MONAI's CheckpointSaver writes in place, and forgets the best metric when a training is resumed. Both files hold
    the model in the same form (:mod:`pipeline.workflows.model_file`), so that each can be evaluated; ``last.pt``
    also holds the state of the training.

    Args:
        directory: folder of the two files.
        model: gives the model file's content at the time of writing.
        state: everything that a training needs to resume (network, optimiser, schedule ...); random numbers follow
            from seed and epoch (`PatchSampler`).
        recipe: the settings that may not change when a training is resumed ...
        parts: ... nor these (`training_parts`); files of earlier versions lack them ...
        data: ... nor what the training uses of this fingerprint (`DatasetIndex.fingerprint`).
    """

    def __init__(
        self,
        directory: str,
        model: Callable[[], dict[str, Any]],
        state: Mapping[str, Stateful],
        recipe: Mapping[str, Any],
        parts: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        self.best = Path(directory) / "best.pt"
        self.last = Path(directory) / "last.pt"
        self._model = model
        self._state = state
        self._recipe = dict(recipe)
        self._parts = dict(parts or {})
        self._data = data
        self._lock: TextIO | None = None

    def lock(self) -> None:
        """Keep other trainings out of the folder until `unlock`, or until this process ends.

        Raises:
            UserError: another one is at work there.
        """
        self.last.parent.mkdir(parents=True, exist_ok=True)
        self._lock = (self.last.parent / ".lock").open("a")
        if not take_lock(self._lock.fileno(), str(self.last.parent.parent)):
            raise UserError(
                f"another training is writing into {self.last.parent.parent}: wait for it, stop it, or choose another "
                "--output_dir"
            )

    def unlock(self) -> None:
        """Let other trainings into the folder."""
        if self._lock is not None:
            self._lock.close()

    def attach(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        """Write at the end of each epoch; to be attached after the validation."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._write, evaluator)

    def start_anew(self) -> None:
        """Remove the checkpoints of an earlier training, which the user asked to overwrite."""
        for path in (self.best, self.last):
            path.unlink(missing_ok=True)

    def resume(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator, max_epochs: int) -> None:
        """Bring a training to where ``last.pt`` left it.

        Raises:
            UserError: the file can't be read or is of no training, was trained with another recipe, or has
                ``max_epochs`` already.
        """
        training = read_training(self.last, ANEW)
        self._check_recipe(training)
        epoch = training["epoch"]
        if epoch >= max_epochs:
            raise UserError(
                f"the training in {self.last.parent.parent} already has its {epoch} epochs; "
                f"to continue, give a larger number, such as --max_epochs {epoch + 10}"
            )
        for name, part in self._state.items():
            part.load_state_dict(training["state"][name])
        trainer.state.epoch = epoch
        trainer.state.iteration = epoch * trainer.state.epoch_length
        evaluator.state.best_metric = training["best_metric"]
        evaluator.state.best_metric_epoch = training["best_metric_epoch"]
        evaluator.state.metrics = dict(training.get("metrics", {}))  # the model's threshold is among them

    def _check_recipe(self, training: Mapping[str, Any]) -> None:
        recipe, version = training["recipe"], training["vlsenet"]
        before, now = {name: recipe.get(name) for name in self._recipe}, dict(self._recipe)
        if isinstance(recipe.get("network"), Mapping):
            before["network"] = {**_EARLIER_NETWORK, **recipe["network"]}
        of_data = self._changed_data(training)
        for settings in (before, now):
            if of_data is not None:
                settings.pop("data", None)
        changed = [f"other data: {of_data}"] if of_data else []
        changed += changed_settings(_given(before), _given(now))
        changed += changed_settings(training.get("parts", self._parts), self._parts)
        if changed:
            more = [f"{len(changed) - _SHOWN} more"] if len(changed) > _SHOWN else []
            begun = (
                f". It was begun by vlsenet {version}: what is none of your options only that version can go on with; "
                f"--start_from {quote(str(self.best))} begins a new training with its model"
            )
            raise UserError(
                f"--resume: {self.last} was trained with other settings ({'; '.join([*changed[:_SHOWN], *more])}); "
                "use the original settings, or choose another --output_dir"
                f"{'' if version in (None, pipeline.__version__) else begun}"
            )

    def _changed_data(self, training: Mapping[str, Any]) -> str | None:
        """What of the data that the training uses is not what it was; None where that can't be known."""
        if self._data is None:
            return None
        if (then := training.get("data")) is not None:
            return changes(then, self._data, bool(self._recipe.get("sentences")), ("train", "val"))
        return "" if training["recipe"].get("data") == hash_of(self._data, sentences=True) else None

    def _write(self, trainer: SupervisedTrainer, evaluator: SupervisedEvaluator) -> None:
        epoch = trainer.state.epoch
        model = self._model()
        if evaluator.state.best_metric_epoch == epoch:
            _save(model, self.best)
        training = {
            "recipe": self._recipe,
            "parts": self._parts,
            **({} if self._data is None else {"data": dict(self._data)}),
            "metrics": {name: float(value) for name, value in evaluator.state.metrics.items()},
            "epoch": epoch,
            "best_metric": float(evaluator.state.best_metric),
            "best_metric_epoch": int(evaluator.state.best_metric_epoch),
            "state": {name: part.state_dict() for name, part in self._state.items()},
        }
        _save({**model, "training": training}, self.last)


def read_training(last: Path, remedy: str) -> dict[str, Any]:
    """The state of a training in its `last.pt`.

    Args:
        last: the file.
        remedy: what the user can do if it can't be read.

    Returns:
        What `TrainingCheckpoints` wrote, and as `vlsenet` the version that did, or None.

    Raises:
        UserError: it is damaged, or no `last.pt` of a training.
    """
    saved = load_tensors(last, remedy)
    training = saved.get("training") if isinstance(saved, dict) else None
    needed = {"recipe", "epoch", "state", "best_metric", "best_metric_epoch"}
    if not isinstance(training, dict) or not needed <= training.keys():
        raise UserError(f"{last} holds no training that could be resumed; {remedy}")
    return {**training, "vlsenet": saved.get("versions", {}).get("vlsenet")}


def begun_before(setting: str, resumed: str | None) -> bool:
    """Whether a training that is resumed was begun by a version that lacked a setting: it goes on without it.

    Args:
        setting: its name in `recipe`.
        resumed: the training's folder; None: it begins now.

    Raises:
        UserError: as `read_training`.
    """
    return resumed is not None and setting not in read_training(last_of(resumed), ANEW)["recipe"]


def last_of(folder: str | Path) -> Path:
    """`last.pt` of the training in a folder."""
    return Path(folder) / "checkpoints" / "last.pt"


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in flattened(settings).items() if value is not None}


def _save(content: dict[str, Any], path: Path) -> None:
    # Python's own file object reports a full disk; PyTorch's writer has no error for it
    with atomic_path(path) as partial, partial.open("wb") as file:
        torch.save(content, file)
