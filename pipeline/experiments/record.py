"""What is known of the runs of an experiment, on disk and as a table: settings, how far each is, and what it took."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import UserError
from pipeline.experiments.plan import Run, run_name
from pipeline.files import atomic_path

FILE = "run.json"


@dataclass
class Record:
    """The state of a run, kept as ``run.json`` in its folder.

    Costs are those of :mod:`pipeline.experiments.one_run`.

    Attributes:
        variant: name of the variant.
        seed: random seed.
        fold: name of the fold; empty for the data set's own split.
        data_fingerprint: of the data set in this division.
        training: overrides of ``train.yaml``, without the places of results.
        evaluation: overrides of ``evaluate.yaml``, without the places of results.
        state: ``running`` (or killed), ``interrupted``, ``finished`` or ``failed``.
        error: what went wrong, of a failed run.
        training_seconds: time of the training, over all its parts; None where a part was killed.
        evaluation_seconds: time of the evaluation.
        parameters: of the network; known when it is trained.
        gflops: of a forward pass of one patch.
        peak_memory_bytes: of the training.
        code: versions of the code and of the configs, of all parts of the training, where they differ.
        mlflow_run_id: its run in MLflow, once there is one.
    """

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
        return run_name(self.variant, self.fold, self.seed)

    def costs(self) -> dict[str, float]:
        """What the training took, as far as it is known, by the names that MLflow has for it."""
        names = ("parameters", "gflops", "peak_memory_bytes", "training_seconds", "evaluation_seconds")
        return {name: float(value) for name in names if (value := getattr(self, name)) is not None}

    def write(self, folder: Path) -> None:
        """Write it to the run's folder."""
        with atomic_path(folder / FILE) as partial:
            partial.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record of a folder, None where nothing was begun.

        Raises:
            UserError: a damaged file.
        """
        path = folder / FILE
        if not path.exists():
            return None
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} can't be read ({error}); remove {folder} to run it again") from error

    @classmethod
    def of(cls, run: Run) -> Record:
        """The record of a run's folder, or a new one.

        Raises:
            UserError: the folder was begun with other settings.
        """
        # through JSON, as what is on disk: tuples become lists
        settings = json.loads(json.dumps([run.training, run.evaluation], default=str))
        asked = cls(run.variant, run.seed, run.fold, run.fingerprint, *settings)
        found = cls.read(run.folder)
        if found is None:
            return asked
        for command in ("training", "evaluation"):
            before, now = getattr(found, command), getattr(asked, command)
            changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
            if changed:
                differences = ", ".join(f"{name} was {before.get(name)}, now {now.get(name)}" for name in changed)
                raise UserError(
                    f"{run.folder} was started with other settings of the {command} ({differences}): "
                    "use the original settings, or choose another --output_dir"
                )
        return found


def read_records(output_dir: Path) -> list[tuple[Path, Record]]:
    """Folder and record of every run of an experiment that was begun."""
    found = (path for pattern in ("*/seed*", "*/fold*/seed*") for path in output_dir.glob(f"{pattern}/{FILE}"))
    folders = sorted(path.parent for path in found)
    return [(folder, record) for folder in folders if (record := Record.read(folder)) is not None]


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[int | None]:
    """Hold a lock on a file, which is made; gives its descriptor, or None where another process holds the lock.

    With ``wait`` it is waited for.

    A process that inherits the descriptor holds the lock too, and it is free when the last of them has ended, however
    that came about.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield None
        else:
            yield file.fileno()


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


def run_table(records: Sequence[tuple[Path, Record]]) -> pd.DataFrame:
    """One row for each run, with the scores of the finished ones.

    One whose scores can't be read is marked as failed: the other runs' table must not wait for it.
    """
    rows = []
    for folder, record in records:
        row: dict[str, Any] = {name: getattr(record, name) for name in ("variant", "fold", "seed", "state", "error")}
        row |= {name: getattr(record, name) for name in _COSTS}
        row |= {"mlflow_run_id": record.mlflow_run_id, "code": " then ".join(record.code)}
        if record.state == "finished":
            path = folder / "evaluation" / "summary.json"
            try:
                summary = json.loads(path.read_text(encoding="utf-8"))
                row |= {name: summary[part][score] for name, (part, score) in SCORES.items()}
                row["threshold"] = summary["threshold"]
            except (OSError, ValueError, LookupError, TypeError) as error:
                error_text = f"{path} can't be read ({type(error).__name__}: {error}); remove {folder} to run it again"
                row |= {"state": "failed", "error": error_text}
        rows.append(row)
    numbers = [*_COSTS, *SCORES, "threshold"]
    table = pd.DataFrame(rows, columns=["variant", "fold", "seed", "state", *numbers, "mlflow_run_id", "error", "code"])
    return table.astype(dict.fromkeys(numbers, float))


def write_run_table(output_dir: Path) -> None:
    """Rewrite ``runs.csv``."""
    table = run_table(read_records(output_dir))
    with atomic_path(output_dir / TABLE_FILE) as partial:
        table.to_csv(partial, index=False, float_format="%.6g")
