"""The table of an experiment: each variant's scores over its seeds, and what it gains on the baseline."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.atomic import atomic_path
from pipeline.errors import UserError
from pipeline.experiments.record import Record, read_records

#: column of the table of runs: where it stands in an evaluation's summary
SCORES = {
    "dice": ("pooled", "dice"),
    "dice_at_half": ("pooled", "dice_at_half"),
    "dice_per_image": ("mean", "dice"),
    "cl_dice": ("pooled", "cl_dice"),
    "porosity_error": ("mean", "porosity_error"),
}
#: scores that are compared with the baseline's
COMPARED = ("dice", "porosity_error", "cl_dice")


def run_table(records: Sequence[tuple[Path, Record]]) -> pd.DataFrame:
    """One row for each run, with the scores of the finished ones.

    One whose scores can't be read counts as failed: the other runs' table must not wait for it.
    """
    rows = []
    for folder, record in records:
        row: dict[str, Any] = {"variant": record.variant, "seed": record.seed, "state": record.state}
        row |= {"parameters": record.parameters, "training_seconds": record.training_seconds}
        error = record.error
        if record.state == "finished":
            try:
                row |= _scores(folder / "evaluation" / "summary.json")
            except UserError as unreadable:
                row["state"], error = "failed", f"{unreadable}; remove {folder} to run it again"
        rows.append({**row, "error": error, "code": record.code})
    columns = ["variant", "seed", "state", "parameters", "training_seconds", *SCORES, "threshold", "error", "code"]
    table = pd.DataFrame(rows, columns=columns)
    numbers = ["parameters", "training_seconds", *SCORES, "threshold"]
    return table.astype(dict.fromkeys(numbers, float))


def summary_table(runs: pd.DataFrame, baseline: str, order: Sequence[str] = ()) -> pd.DataFrame:
    """One row for each variant.

    ``SCORE_mean`` and ``SCORE_std`` are over the finished seeds (the standard deviation of a sample, NaN for one seed).
    ``SCORE_gain`` is the mean difference to the baseline over the seeds that both have (``paired_seeds``), with its
    standard deviation ``SCORE_gain_std``; ``SCORE_gain_percent`` is that mean relative to the baseline's mean
    over the same seeds.

    Args:
        runs: from :func:`run_table`.
        baseline: variant to compare with.
        order: variants in their order; others follow.
    """
    finished = runs[runs["state"] == "finished"].sort_values("seed")
    reference = finished[finished["variant"] == baseline].set_index("seed")
    names = [name for name in order if name in set(runs["variant"])]
    names += sorted(set(runs["variant"]) - set(names))
    rows = []
    for name in names:
        done = finished[finished["variant"] == name].set_index("seed")
        row: dict[str, Any] = {
            "variant": name,
            "parameters": done["parameters"].mean(),
            "runs": len(done),
            "failed": int(((runs["variant"] == name) & (runs["state"] == "failed")).sum()),
            "seeds": " ".join(map(str, done.index)),
        }
        for score in SCORES:
            row |= {f"{score}_mean": done[score].mean(), f"{score}_std": done[score].std()}
        both = done.index.intersection(reference.index)
        row["paired_seeds"] = 0 if name == baseline else len(both)
        for score in COMPARED:
            gain = done.loc[both, score] - reference.loc[both, score] if name != baseline else pd.Series(dtype=float)
            row |= {f"{score}_gain": gain.mean(), f"{score}_gain_std": gain.std()}
            row[f"{score}_gain_percent"] = 100 * gain.mean() / reference.loc[both, score].mean()
        row["training_seconds"] = done["training_seconds"].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame, runs: pd.DataFrame, baseline: str) -> str:
    """The table for a reader, with what must be said to it."""
    head = [
        "variant",
        "parameters",
        "runs",
        "Dice, pooled",
        "at probability 0.5",
        "clDice",
        "porosity error",
        f"Dice against {baseline}",
        f"porosity error against {baseline}",
        "training",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in table.to_dict("records"):
        cells = [
            row["variant"],
            _cell("{:.2f} M", row["parameters"] / 1e6),
            f"{row['runs']}" + (f" ({row['failed']} failed)" if row["failed"] else ""),
            *(
                _cell("{:.4f}", row[f"{s}_mean"], row[f"{s}_std"])
                for s in ("dice", "dice_at_half", "cl_dice", "porosity_error")
            ),
            *(_gain(row, score) for score in ("dice", "porosity_error")),
            _cell("{:.1f} min", row["training_seconds"] / 60),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_notes(table, runs, baseline)]) + "\n"


def write_tables(output_dir: Path, baseline: str, order: Sequence[str] = ()) -> str:
    """Write ``ablation.md`` and ``ablation.csv`` (variants) and ``runs.csv`` anew; returns the first.

    Raises:
        UserError: no run was begun there, or a damaged record.
    """
    records = read_records(output_dir)
    if not records:
        raise UserError(f"{output_dir} holds no runs (VARIANT/seedK/run.json): there is nothing to make a table of")
    runs = run_table(records)
    table = summary_table(runs, baseline, order)
    text = markdown(table, runs, baseline)
    with atomic_path(output_dir / "ablation.md") as partial:
        partial.write_text(text, encoding="utf-8")
    for name, content in {"ablation.csv": table, "runs.csv": runs}.items():
        with atomic_path(output_dir / name) as partial:
            content.to_csv(partial, index=False, float_format="%.6g")
    return text


def _scores(path: Path) -> dict[str, float | None]:
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        scores = {name: summary[part][score] for name, (part, score) in SCORES.items()}
        return {**scores, "threshold": summary["threshold"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{path} can't be read ({type(error).__name__}: {error})") from error


def _cell(form: str, value: float, std: float = math.nan) -> str:
    """A number with its spread, as far as they are known."""
    if math.isnan(value):
        return "-"
    return form.format(value) + ("" if math.isnan(std) else f" ± {std:.4f}")


def _gain(row: dict[str, Any], score: str) -> str:
    text = _cell("{:+.4f}", row[f"{score}_gain"], row[f"{score}_gain_std"])
    return text if text == "-" else f"{text} ({row[f'{score}_gain_percent']:+.1f} %)"


def _notes(table: pd.DataFrame, runs: pd.DataFrame, baseline: str) -> list[str]:
    notes = [
        "Scores: pooled over all pixels of the validation images, at the threshold that the training chose on them; "
        "porosity error: mean over the images. ± is the standard deviation over seeds. Differences are of runs with "
        f"the same seed; the percentages are relative to {baseline}."
    ]
    single = table.loc[table["runs"] == 1, "variant"]
    if len(single):
        notes.append(f"One seed only, so that nothing is known of the spread: {', '.join(single)}.")
    seeds = table.loc[table["runs"] > 0, ["variant", "seeds"]]
    if seeds["seeds"].nunique() > 1:
        notes.append("Not all variants have the same seeds yet: compare the differences, not the means.")
    failed = runs[runs["state"] == "failed"]
    notes += [f"Failed: {run.variant} seed {run.seed}: {run.error}" for run in failed.itertuples()]
    open_runs = runs[runs["state"].isin(["running", "interrupted"])]
    if len(open_runs):
        notes.append("Not finished: " + ", ".join(f"{run.variant} seed {run.seed}" for run in open_runs.itertuples()))
    codes = sorted(set(runs.loc[runs["state"] == "finished", "code"]))
    if codes:
        notes.append(
            f"Code: {', '.join(codes)}." + (" **Not all runs are of the same code.**" if len(codes) > 1 else "")
        )
    return [line for note in notes for line in (note, "")][:-1]
