"""The runs of an experiment, a row for each: how far it is, what it took, and its scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.atomic import atomic_path
from pipeline.experiments.record import Record, read_records

FILE = "runs.csv"
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

    One whose scores can't be read is told as such: the other runs' table must not wait for it.
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
                told = f"{path} can't be read ({type(error).__name__}: {error}); remove {folder} to run it again"
                row |= {"state": "failed", "error": told}
        rows.append(row)
    numbers = [*_COSTS, *SCORES, "threshold"]
    table = pd.DataFrame(rows, columns=["variant", "fold", "seed", "state", *numbers, "mlflow_run_id", "error", "code"])
    return table.astype(dict.fromkeys(numbers, float))


def write_run_table(output_dir: Path) -> None:
    """Rewrite ``runs.csv``."""
    table = run_table(read_records(output_dir))
    with atomic_path(output_dir / FILE) as partial:
        table.to_csv(partial, index=False, float_format="%.6g")
