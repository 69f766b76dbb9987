"""The scores of each variant: means over images, pooled values, spread over seeds and folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from operator import add

import pandas as pd

from pipeline.comparison.common_phases import of_phase
from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.comparison.scores import MEASURES
from pipeline.metrics import PoreScores

#: what a variant costs: column, the metrics or parameters of a run that may hold it, title
_COSTS = (
    ("parameters", ("parameters",), "parameters (M)", 1e-6),
    ("flops", ("flops", "gflops"), "FLOPs (G)", 1.0),
    ("training_seconds", ("training_seconds",), "training (min)", 1 / 60),
    ("peak_memory_bytes", ("peak_memory_bytes", "peak_memory"), "memory (MB)", 1e-6),
)


def score_rows(runs: Sequence[EvaluatedRun], measure: str) -> pd.DataFrame:
    """One score of every image in every run: variant, fold, seed, name, source, value and checkpoint (its hash)."""
    parts = [
        run.images[["name", "source"]].assign(value=run.images.get(measure, math.nan), **run.labels) for run in runs
    ]
    return pd.concat(parts, ignore_index=True)


def variant_table(runs: Sequence[EvaluatedRun]) -> pd.DataFrame:
    """A row for each variant and score.

    ``mean`` is that over the images of each image's mean over the seeds, so that an unfinished fold of one seed doesn't
    weigh on it; ``seed_sd`` the standard deviation over the seeds (those with all folds) of the mean over the images;
    ``fold_sd`` that over the folds of the mean over images and seeds. ``pooled`` is the score
    of the pixels of all images and folds together, as a mean over the seeds, with ``pooled_seed_sd``. A deviation is
    NaN with one seed or fold.
    """
    rows = []
    for variant in variants_of(runs):
        own = [run for run in runs if run.variant == variant]
        whole = _whole_seeds(own)
        pooled = _pooled(own, whole)
        for measure in MEASURES:
            scores = score_rows(own, measure.name)
            by_image = scores.groupby(["fold", "name"])["value"].mean()
            by_seed = scores[scores["seed"].isin(whole)].groupby("seed")["value"].mean()
            by_fold = scores.groupby("fold")["value"].mean()
            values = pd.Series([score[measure.name] for score in pooled if measure.name in score], dtype=float)
            rows.append(
                {
                    "variant": variant,
                    "measure": measure.name,
                    "mean": by_image.mean(),
                    "seed_sd": by_seed.std(),
                    "fold_sd": by_fold.std(),
                    "pooled": values.mean(),
                    "pooled_seed_sd": values.std(),
                    "images": scores.loc[scores["value"].notna(), ["fold", "name"]].drop_duplicates().shape[0],
                    "seeds": scores["seed"].nunique(),
                    "folds": scores["fold"].nunique(),
                    "trainings": len(own),
                }
            )
    return pd.DataFrame(rows)


def cost_table(runs: Sequence[EvaluatedRun]) -> pd.DataFrame:
    """What each variant costs, where its runs say so: mean over the trainings, a column for each, variants as index."""
    costs = pd.DataFrame(
        [{title: factor * _cost(run, names) for _, names, title, factor in _COSTS} for run in runs],
        index=[run.variant for run in runs],
    )
    return costs.groupby(level=0, sort=False).mean().dropna(axis=1, how="all")


def cost_caption(costs: pd.DataFrame) -> str:
    """What holds for the columns of a :func:`cost_table`."""
    there = {name for name, _, title, _ in _COSTS if title in costs}
    measured = [what for name, what in (("training_seconds", "time"), ("peak_memory_bytes", "memory")) if name in there]
    parts = ["Mean over the trainings"]
    if "flops" in there:
        parts.append("FLOPs of one training patch")
    if measured:
        parts.append(f"{' and '.join(measured)} on the machine used for training")
    return "; ".join(parts) + "."


def variants_of(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Names of the variants, each once, in order."""
    return list(dict.fromkeys(run.variant for run in runs))


def pooled_scores(runs: Sequence[EvaluatedRun]) -> PoreScores | None:
    """The counts of several runs of one phase together; None where one has none, or there are several phases."""
    if any(len(run.by_phase) > 1 for run in runs):
        return None
    try:
        return reduce(add, (PoreScores.from_dict(phase.counts) for run in runs for phase in run.by_phase.values()))
    except (KeyError, TypeError):
        return None


def _whole_seeds(runs: Sequence[EvaluatedRun]) -> list[str]:
    """The seeds with all folds of a variant; another one is of other images."""
    folds = {run.fold for run in runs}
    return [seed for seed in sorted({run.seed for run in runs}) if {r.fold for r in runs if r.seed == seed} == folds]


def _pooled(runs: Sequence[EvaluatedRun], seeds: Sequence[str]) -> list[dict[str, float]]:
    """Scores pooled over the folds of each seed, of several phases their mean."""
    scores = []
    for seed in seeds:
        own = [run for run in runs if run.seed == seed]
        pooled = [pooled_scores([of_phase(run, name) for run in own]) for name in own[0].by_phase]
        found = pd.DataFrame([one.scores() for one in pooled if one is not None])
        scores.append({str(name): float(value) for name, value in found.mean().items()})
    return scores


def phase_table(runs: Sequence[EvaluatedRun]) -> pd.DataFrame:
    """A :func:`variant_table` of each phase, with a column ``phase``; empty where there is only one."""
    names = list(runs[0].by_phase)
    if len(names) == 1:
        return pd.DataFrame()
    tables = {name: variant_table([of_phase(run, name) for run in runs]) for name in names}
    return pd.concat([table.assign(phase=name) for name, table in tables.items()], ignore_index=True)


def _cost(run: EvaluatedRun, names: Sequence[str]) -> float:
    held = {**run.stored.parameters, **run.stored.metrics}
    known = pd.to_numeric(pd.Series([held.get(name) for name in names], dtype=object), errors="coerce").dropna()
    return float(known.iloc[0]) if len(known) else math.nan
