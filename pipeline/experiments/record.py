"""What is known of the runs of an experiment, on disk and as a table: settings, how far each is, and what it took."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.changed_settings import changed_settings
from pipeline.csv_tables import write_csv
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.locks import take_lock

FILE = "run.json"
TABLE_FILE = "runs.csv"
#: column: where it stands in an evaluation's summary
SCORES = {
    "dice": ("pooled", "dice"),
    "dice_at_half": ("pooled", "dice_at_half"),
    "dice_per_image": ("mean", "dice"),
    "cl_dice": ("pooled", "cl_dice"),
    "porosity_error": ("mean", "porosity_error"),
}
_COSTS = ("parameters", "gflops", "training_seconds", "peak_memory_bytes")


@dataclass
class Run:
    """One training and its evaluation: what shall be run, how far it is, and what it took.

    All but the folder is kept as ``run.json`` in it. Costs are those of :mod:`pipeline.experiments.one_run`.

    Attributes:
        folder: of its results.
        fold: name of the fold; empty for the data set's own split.
        data_fingerprint: of the data set in this division.
        training: overrides of ``train.yaml``, without the places of results.
        evaluation: overrides of ``evaluate.yaml``, likewise.
        state: ``running`` (or killed), ``interrupted``, ``finished`` or ``failed``.
        training_seconds: time of the training, over all its parts; None where a part was killed.
        parameters: of the network; known when it is trained.
        gflops: of a forward pass of one patch.
        peak_memory_bytes: of the training.
        code: versions of the code and of the configs, of all parts of the training, where they differ.
        mlflow_run_id: its run in MLflow, once there is one.
    """

    folder: Path
    variant: str
    seed: int
    fold: str
    data_fingerprint: str
    training: dict[str, Any]
    evaluation: dict[str, Any]
    state: str = "running"
    error: str = ""
    training_seconds: float | None = 0.0
    evaluation_seconds: float | None = None
    parameters: int | None = None
    gflops: float | None = None
    peak_memory_bytes: int | None = None
    code: list[str] = field(default_factory=list)
    mlflow_run_id: str | None = None

    @property
    def name(self) -> str:
        """What it is called, in messages and in MLflow."""
        return f"{self.variant}{f' fold {self.fold}' if self.fold else ''} seed {self.seed}"

    def costs(self) -> dict[str, float]:
        """What the training took, as far as it is known, by the names that MLflow has for it."""
        names = (*_COSTS, "evaluation_seconds")
        return {name: float(value) for name in names if (value := getattr(self, name)) is not None}

    def write(self) -> None:
        """Write it to its folder."""
        content = {name: value for name, value in asdict(self).items() if name != "folder"}
        write_text(self.folder / FILE, json.dumps(content, indent=2, default=str))

    @classmethod
    def read(cls, folder: Path) -> Run | None:
        """The run of a folder, None where nothing was begun.

        Raises:
            UserError: a damaged file.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            return cls(folder, **json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} can't be read ({error}); remove {folder} to run it again") from error

    def resumed(self) -> Run:
        """The run as its folder has it by now; itself where nothing was begun.

        Raises:
            UserError: the folder was begun with other settings.
        """
        found = Run.read(self.folder) or self
        for command in ("training", "evaluation"):
            # through JSON, as what is on disk: tuples become lists
            before, now = (json.loads(json.dumps(getattr(run, command), default=str)) for run in (found, self))
            if changed := changed_settings(_given(before), _given(now)):
                raise UserError(
                    f"{self.folder} was started with other settings of the {command} ({'; '.join(changed)}): "
                    "use the original settings, or choose another --output_dir"
                )
        return found


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def read_runs(output_dir: Path) -> list[Run]:
    """Every run of an experiment that was begun."""
    found = (path for pattern in ("*/seed*", "*/fold*/seed*") for path in output_dir.glob(f"{pattern}/{FILE}"))
    return [run for path in sorted(found) if (run := Run.read(path.parent)) is not None]


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[int | None]:
    """Hold a lock on a file, which is made; gives its descriptor, or None where another process holds the lock.

    With ``wait`` it is waited for (`take_lock`).

    A process that inherits the descriptor holds the lock too, and it is free when the last of them has ended, however
    that came about.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:  # who holds it may have written something into it
        yield file.fileno() if take_lock(file.fileno(), str(path.parent), wait) else None


def run_table(runs: Sequence[Run]) -> pd.DataFrame:
    """One row for each run, with the scores of the finished ones, of several phases also of each.

    One whose scores can't be read is marked as failed: the other runs' table must not wait for it.
    """
    rows = []
    for run in runs:
        row: dict[str, Any] = {**vars(run), "code": " then ".join(run.code)}
        if run.state == "finished":
            path = run.folder / "evaluation" / "summary.json"
            try:
                summary = json.loads(path.read_text(encoding="utf-8"))
                row |= _scores(summary)
            except (OSError, ValueError, LookupError, TypeError) as error:
                reason = f"{path} can't be read ({type(error).__name__}: {error}); remove {run.folder} to run it again"
                row |= {"state": "failed", "error": reason}
        rows.append(row)
    of_phases = dict.fromkeys(name for row in rows for name in row if "/" in name)
    numbers = [*_COSTS, *SCORES, "threshold", *of_phases]
    table = pd.DataFrame(rows, columns=["variant", "fold", "seed", "state", *numbers, "mlflow_run_id", "error", "code"])
    return table.astype(dict.fromkeys(numbers, float))


def _scores(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """Scores and threshold of an evaluation; of several phases the means, and `silt grain/dice` and so on for each."""
    if "phases" not in summary:
        scores = {name: summary[part][score] for name, (part, score) in SCORES.items()}
        return {**scores, "threshold": summary["threshold"]}
    given = summary["threshold"]
    each = {
        f"{phase}/{name}": value
        for phase, of in summary["phases"].items()
        for name, value in (
            *_area_scores(of).items(),
            ("threshold", given[phase] if isinstance(given, dict) else given),
        )
    }
    return {**_area_scores(summary), **each}


def _area_scores(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The scores of one of several phases, or their means, under the names that they have for pores alone.

    A score that is undefined for all phases is left out of a summary's means.
    """
    return {name: summary[part].get(score.replace("porosity", "area")) for name, (part, score) in SCORES.items()}


def write_run_table(output_dir: Path) -> None:
    """Rewrite ``runs.csv``."""
    write_csv(output_dir / TABLE_FILE, run_table(read_runs(output_dir)), "%.6g")
