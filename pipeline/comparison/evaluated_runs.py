"""Evaluated runs, as MLflow keeps them, with their tables of pores and the curves of their epochs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.csv_tables import read_csv
from pipeline.errors import UserError, first_line
from pipeline.phases import PORE
from pipeline.tracking.stores import (
    EVALUATED,
    EVALUATION_FOLDER,
    FOLD,
    PARENT,
    SEED,
    VARIANT,
    StoredRun,
)

_IMAGES, _PORES, _SUMMARY = "per_image.csv", "per_pore.csv", "summary.json"
_COLUMNS = {"name", "source", "dice", "porosity_true", "pixels"}
#: metric of a training: title
CURVES = {
    "train_loss": "training loss",
    "val_dice": "Dice, validation",
    "val_porosity_error": "porosity error, validation",
    "val_area_error": "error of the area, validation",
}
#: earlier names of columns
_RENAMED = {"area": "area_px", "orientation": "orientation_deg"}
_PORE_COLUMNS = {"name", "source", "area_px", "aspect_ratio", "orientation_deg", "found"}
#: the earlier form has four digits
_ROUNDING = 5e-4


def read_pores(path: Path) -> tuple[pd.DataFrame, bool]:
    """Read the true pores of all images: ``name``, ``source`` and :meth:`pipeline.metrics.TruePores.columns`.

    In the earlier form pixels were unit squares instead of points: a line of one pixel's width had an aspect ratio, a
    single pixel the ratio 1 and an orientation, and small pores have smaller ratios than today. All but the last is
    made as it is today.

    Returns:
        The pores, and whether they are of the earlier form.

    Raises:
        ValueError: another kind of table.
    """
    pores = read_csv(
        path,
        dtype={"name": str, "source": str, "phase": str},
        keep_default_na=False,
        na_values={"aspect_ratio": [""], "orientation_deg": [""]},
    )
    earlier = "area" in pores
    if earlier:
        pores = pores.rename(columns=_RENAMED)
    if not _PORE_COLUMNS.issubset(pores.columns):
        raise ValueError(f"{path.name} lacks columns")
    return (_as_today(pores) if earlier else pores), earlier


def _as_today(pores: pd.DataFrame) -> pd.DataFrame:
    area, ratio, angle = pores["area_px"], pores["aspect_ratio"], pores["orientation_deg"]
    # of n pixels in a row, and in a diagonal
    is_line = np.isclose(ratio, area, rtol=_ROUNDING) | np.isclose(ratio, np.sqrt(2 * area**2 - 1), rtol=_ROUNDING)
    return pores.assign(
        aspect_ratio=ratio.mask(is_line),
        orientation_deg=(angle - 180 * (angle > 90)).mask(np.isclose(ratio, 1, atol=_ROUNDING)),
    )


@dataclass(frozen=True, eq=False)
class PhaseResults:
    """What an evaluation found of one phase.

    Attributes:
        images: scores of the images that have labels for it, by the names that they have for pores.
        counts: of ``summary.json``, from which scores are pooled; empty where there are none.
    """

    images: pd.DataFrame
    counts: Mapping[str, Any]


def mean_of_phases(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A row for each image with the mean of its scores over the phases; a single phase's table as it is."""
    if len(tables) == 1:
        return tables[0]
    together = pd.concat(tables, ignore_index=True)
    return together.groupby(["name", "source"], as_index=False, sort=False).mean(numeric_only=True)


@dataclass(frozen=True, eq=False)
class EvaluatedRun:
    """One training with the evaluation of its model.

    Attributes:
        stored: the run, as its store has it.
        variant: what is compared; the tag ``variant``, or the run's name.
        seed: the tag or parameter ``seed``; empty where there is none.
        fold: the tag ``fold``; empty where there are no folds.
        images: ``per_image.csv``; of several phases the mean over those that an image has labels for.
        pores: ``per_pore.csv``, see :mod:`pipeline.comparison.evaluated_runs`; empty where the run has none.
        summary: ``summary.json``.
        earlier_shapes: whether ``pores`` was written with the earlier definition of aspect ratios.
        phases: the results of each of several phases; empty for a model of one.
    """

    stored: StoredRun
    variant: str
    seed: str
    fold: str
    images: pd.DataFrame
    pores: pd.DataFrame
    summary: dict[str, Any]
    earlier_shapes: bool = False
    phases: Mapping[str, PhaseResults] = field(default_factory=dict)

    @property
    def by_phase(self) -> Mapping[str, PhaseResults]:
        """The results of each phase, of one or several."""
        one = PhaseResults(self.images, self.summary.get("counts") or {})
        return self.phases or {str(self.summary.get("phase", PORE)): one}

    @property
    def labels(self) -> dict[str, str]:
        """The columns by which the rows of tables are told apart; ``checkpoint`` is the hash of the weights."""
        checkpoint = self.summary.get("checkpoint_sha256") or ""
        return {"variant": self.variant, "fold": self.fold, "seed": self.seed, "checkpoint": checkpoint}

    @property
    def run_id(self) -> str:
        return self.stored.run_id

    @property
    def name(self) -> str:
        return self.stored.name

    @property
    def epochs(self) -> int | None:
        """How many epochs were trained; None where none was logged."""
        logged = self.stored.history("train_loss") if "train_loss" in self.stored.metrics else []
        return max((step for step, _ in logged), default=None)


def read_runs(chosen: Sequence[StoredRun], folder: Path) -> tuple[list[EvaluatedRun], list[str]]:
    """Read the evaluations of runs.

    Args:
        chosen: the runs; parents of others among them are passed over.
        folder: where the files of evaluations are put.

    Returns:
        The runs with an evaluation, and a line for each of the others.

    Raises:
        UserError: none was evaluated, or an evaluation can't be read.
    """
    runs, left_out = [], []
    parents = {run.tags.get(PARENT) for run in chosen}
    for run in chosen:
        if run.run_id in parents:
            continue
        if (found := _evaluated(run, folder / run.run_id)) is not None:
            runs.append(found)
        else:
            left_out.append(f"{run.name} ({_why_not(run)})")
    if not runs:
        some = "; ".join(left_out[:6])
        raise UserError(
            f"none of the {len(left_out)} runs has an evaluation among its artifacts ({EVALUATION_FOLDER}/{_IMAGES}): "
            f"{some}; vlsenet evaluate stores one there"
        )
    return sorted(runs, key=lambda run: (run.variant, run.fold, run.seed)), left_out


def _why_not(run: StoredRun) -> str:
    """Why a run has no evaluation."""
    if EVALUATED in run.tags:
        return "its evaluation files are missing"
    error = run.tags.get("error", "")
    return {"RUNNING": "still running", "FINISHED": "not evaluated"}.get(
        run.status, run.status.lower() + (f": {error}" if error else "")
    )


def _evaluated(run: StoredRun, folder: Path) -> EvaluatedRun | None:
    try:
        there = {Path(path).name for path in run.files(EVALUATION_FOLDER)}
        if not {_IMAGES, _SUMMARY} <= there:
            return None
        files = {
            name: run.download(f"{EVALUATION_FOLDER}/{name}", folder)
            for name in (_IMAGES, _PORES, _SUMMARY)
            if name in there
        }
        names = {"name": str, "source": str, "phase": str}
        images = read_csv(files[_IMAGES], dtype=names, keep_default_na=False, na_values=[""])
        pores, earlier_shapes = read_pores(files[_PORES]) if _PORES in files else (pd.DataFrame(), False)
        summary = json.loads(files[_SUMMARY].read_text(encoding="utf-8"))
        phases = phase_results(images, summary)
        if phases:
            images = mean_of_phases([phase.images for phase in phases.values()])
        if images.empty or not _COLUMNS.issubset(images.columns):
            raise ValueError(f"{_IMAGES} has no rows, or lacks columns")
    except (UserError, OSError, ValueError) as error:
        raise UserError(
            f"the evaluation of the run {run.name} ({run.run_id}) can't be read ({first_line(error)}); "
            "evaluate it again, or choose the other runs with --runs"
        ) from error
    variant, seed = run.tags.get(VARIANT) or run.name, run.tags.get(SEED) or run.parameters.get(SEED, "")
    return EvaluatedRun(run, variant, seed, run.tags.get(FOLD, ""), images, pores, summary, earlier_shapes, phases)


def phase_results(images: pd.DataFrame, summary: Mapping[str, Any]) -> dict[str, PhaseResults]:
    """The results of an evaluation by phase; empty for one of a single phase.

    Args:
        images: ``per_image.csv``; of several phases with a row for each, and ``area_...`` for ``porosity_...``.
        summary: ``summary.json``.
    """
    if "phase" not in images:
        return {}
    images = images.rename(columns=lambda name: re.sub("^area_", "porosity_", name))
    kept = summary.get("phases") or {}
    return {
        str(name): PhaseResults(rows.drop(columns="phase"), kept.get(name, {}).get("counts") or {})
        for name, rows in images.groupby("phase", sort=False)
    }


def read_curves(runs: Sequence[EvaluatedRun]) -> pd.DataFrame:
    """Curves of all runs: metric (its title), variant, run, step and value; empty where the runs have none."""
    rows = [
        {"metric": title, "variant": run.variant, "run": run.run_id, "step": step, "value": value}
        for metric, title in CURVES.items()
        for run in runs
        if metric in run.stored.metrics
        for step, value in run.stored.history(metric)
    ]
    table = pd.DataFrame(rows, columns=["metric", "variant", "run", "step", "value"])
    table["metric"] = pd.Categorical(table["metric"], CURVES.values())
    # a resumed training logs an epoch twice
    return table.drop_duplicates(["metric", "run", "step"], keep="last").sort_values(["metric", "step"], kind="stable")
