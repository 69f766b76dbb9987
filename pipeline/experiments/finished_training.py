"""What MLflow keeps of a training, as far as it takes to repeat it, and whether the numbers of two runs agree."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.bundle_files import text_of_config
from pipeline.data.fingerprints import hash_of
from pipeline.errors import UserError, first_line
from pipeline.tracking.machine_use import PREFIX
from pipeline.tracking.stores import EVALUATION_FOLDER, Store, StoredRun
from pipeline.wording import some_of

#: metrics that no two runs have in common
_OF_THE_MACHINE = ("training_seconds", "evaluation_seconds", "peak_memory_bytes")
#: a metric's values by epoch
Histories = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Difference:
    """The largest difference of one metric between two runs."""

    metric: str
    epoch: int
    before: float
    now: float

    @property
    def size(self) -> float:
        """Infinite where one of the two is not a number."""
        return math.inf if math.isnan(self.now - self.before) else abs(self.now - self.before)

    def __str__(self) -> str:
        return f"{self.metric} in epoch {self.epoch}: {self.before:.9g} before, {self.now:.9g} now"


@dataclass(frozen=True)
class Agreement:
    """What a comparison found.

    Attributes:
        values: how many were compared.
        differences: the largest of each metric that differs at all, the largest first.
        missing: metrics, or epochs of a metric, that only one of the runs has.
        tolerance: largest difference that is taken as agreement.
    """

    values: int
    differences: tuple[Difference, ...]
    missing: tuple[str, ...]
    tolerance: float

    @property
    def identical(self) -> bool:
        """To the last bit."""
        return not self.differences and not self.missing and self.values > 0

    @property
    def agrees(self) -> bool:
        """Within the tolerance."""
        within = all(difference.size <= self.tolerance for difference in self.differences)
        return within and not self.missing and self.values > 0

    def __str__(self) -> str:
        if self.identical:
            return f"identical: all {self.values} values are the same to the last bit"
        if not self.values:
            return "not comparable: no metric in common"
        lines = [str(difference) for difference in self.differences[:5]]
        lines += [f"only one of the runs has {name}" for name in self.missing[:5]]
        compared = f"of {self.values} values within a tolerance of {self.tolerance:g}; the largest differences:"
        return "\n  ".join([f"{'agree' if self.agrees else 'DIFFER'}: {compared}", *lines])


def compare_histories(before: Histories, now: Histories, tolerance: float) -> Agreement:
    """Compare every value of every metric; NaN agrees with NaN only."""
    missing = list(before.keys() ^ now.keys())
    differences, values = [], 0
    for name in before.keys() & now.keys():
        epochs = before[name].keys() & now[name].keys()
        missing += [f"{name} in epoch {epoch}" for epoch in before[name].keys() ^ now[name].keys()]
        values += len(epochs)
        found = [
            Difference(name, epoch, before[name][epoch], now[name][epoch])
            for epoch in sorted(epochs)
            if not _same(before[name][epoch], now[name][epoch])
        ]
        if found:
            differences.append(max(found, key=lambda difference: difference.size))
    differences.sort(key=lambda difference: (-difference.size, difference.metric))
    return Agreement(values, tuple(differences), tuple(sorted(missing)), tolerance)


def _same(before: float, now: float) -> bool:
    return before == now or (math.isnan(before) and math.isnan(now))


@dataclass(frozen=True)
class FinishedTraining:
    """A training and its evaluation, from MLflow.

    Attributes:
        config: of the training, as it was resolved.
        data: fingerprint of the data set; see :meth:`pipeline.data.DatasetIndex.fingerprint`.
        folders: where the data set was, or each of several.
        environment: see :func:`pipeline.tracking.provenance.environment`; of older runs the versions only.
        evaluation: config of the evaluation; None where there is none of the same data.
        histories: the values of every metric by epoch.
    """

    run_id: str
    name: str
    experiment_name: str
    config: dict[str, Any]
    data: dict[str, Any]
    folders: tuple[str, ...]
    environment: dict[str, Any]
    evaluation: dict[str, Any] | None
    histories: Histories

    @property
    def asked_sentences(self) -> bool:
        """Whether images were asked with sentences of their own; versions without this option always did."""
        return any(config.get("sentences", True) for config in (self.config, self.evaluation or self.config))


def read_training(store: Store, run_id: str) -> FinishedTraining:
    """Read a finished training.

    Raises:
        UserError: no such run, one that did not finish, or one that lacks what is needed.
    """
    run = _find(store, run_id)
    if run.status != "FINISHED":
        raise UserError(f"the run {run.name} is {run.status}: only a finished training can be repeated")
    config, data = _artifact(run, "config.yaml"), _artifact(run, "data.json")
    if config is None or data is None:
        raise UserError(f"the run {run.name} lacks config.yaml or data.json: give a run of vlsenet train")
    environment = _artifact(run, "environment.json") or {"versions": dict(run.tags)}
    summary = _artifact(run, f"{EVALUATION_FOLDER}/summary.json") or {}
    same_data = summary.get("data_fingerprint") in (data["hash"], hash_of(data))  # the first of earlier versions
    return FinishedTraining(
        run.run_id,
        run.name,
        next(name for name, key in store.experiments().items() if key == run.experiment),
        config,
        data,
        _folders(config, run.parameters.get("dataset_dir")),
        environment,
        _artifact(run, f"{EVALUATION_FOLDER}/config.yaml") if same_data else None,
        read_histories(run),
    )


def _folders(config: Mapping[str, Any], logged: str | None) -> tuple[str, ...]:
    """The data sets' folders: absolute, as they were logged, where that tells them apart."""
    named = text_of_config(config["dataset_dir"])
    given = tuple(map(str, named)) if isinstance(named, list) else (str(named),)
    absolute = (logged or "").split(", ") if len(given) > 1 else [logged or ""]
    return tuple(absolute) if all(absolute) and len(absolute) == len(given) else given


def _find(store: Store, run_id: str) -> StoredRun:
    """The run of an id, or the only finished one of a name.

    Raises:
        UserError: none, or several; naming those that are there.
    """
    if (found := store.find(run_id)) is not None:
        return found
    runs = [run for run in store.runs(list(store.experiments().values())) if run.status == "FINISHED"]
    named = [run for run in runs if run.name == run_id]
    if len(named) == 1:
        return named[0]
    there = some_of([f"{run.run_id} ({run.name})" for run in named or runs]) or "none"
    what = f"{len(named)} runs have this name" if named else "no such run in the store"
    raise UserError(f"{run_id}: {what}; give the id of one of its finished runs: {there}")


def read_histories(run: StoredRun) -> dict[str, dict[int, float]]:
    """The values of every metric by epoch, without times and memory."""
    names = [name for name in run.metrics if name not in _OF_THE_MACHINE and not name.startswith(PREFIX)]
    return {name: dict(run.history(name)) for name in names}


def _artifact(run: StoredRun, path: str) -> dict[str, Any] | None:
    """The content of a YAML or JSON file; None where there is none."""
    try:
        if path not in run.files(str(Path(path).parent) if "/" in path else None):
            return None
        with tempfile.TemporaryDirectory() as scratch:
            text = run.download(path, Path(scratch)).read_text(encoding="utf-8")
        content = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except (UserError, OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} of the run {run.run_id} can't be read ({first_line(error)})") from error
    return dict(content)
