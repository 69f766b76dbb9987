"""Whether runs were evaluated on the same data: what differs makes a comparison wrong, or smaller."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pipeline.comparison.runs import EvaluatedRun
from pipeline.errors import UserError
from pipeline.wording import some_of

#: parameters of a run that don't make it another variant
_NO_RECIPE = {"variant", "seed", "fold", "dataset_dir", "device", "processes"}


def check_same_data(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Refuse runs that can't be compared; returns notes on what is left out of the comparison.

    Raises:
        UserError: an image with another truth in one run than in another, two runs of the same variant, seed and fold,
            or tolerances that differ.
    """
    _check_single(runs)
    for what, told in (("tolerances", "tolerances of the scores"), ("split", "splits")):
        values: dict[str, list[str]] = {}
        for run in runs:
            values.setdefault(str(run.summary.get(what)), []).append(run.name)
        if len(values) > 1:
            groups = "; ".join(f"{value}: {some_of(names)}" for value, names in sorted(values.items()))
            remedy = ", or choose a split with --split" if what == "split" else ""
            raise UserError(
                f"the runs were evaluated with different {told} ({groups}): evaluate them in the same way, or choose "
                f"runs with --runs{remedy}"
            )
    truths = pd.concat(run.images[["name", "porosity_true", "pixels"]].assign(run=run.name) for run in runs)
    for column in ("pixels", "porosity_true"):
        spread = truths.groupby("name")[column].agg(lambda values: values.max() - values.min())
        if (other := spread[spread > 2e-6]).any():  # the tables hold six digits
            name = str(other.index[0])
            low, high = (truths[truths["name"] == name].sort_values(column).iloc[end] for end in (0, -1))
            raise UserError(
                f"these are runs on different data: {column} of the image {name} is {low[column]:g} in "
                f"{low['run']}, but {high[column]:g} in {high['run']}; compare runs on the same images and labels"
            )
    return [*_missing_images(runs), *_unlike(runs)]


def _check_single(runs: Sequence[EvaluatedRun]) -> None:
    seen: dict[tuple[str, str, str], EvaluatedRun] = {}
    for run in runs:
        key = (run.variant, run.seed, run.fold)
        first = seen.setdefault(key, run)
        if first is not run:
            told = f"variant {run.variant}, seed {run.seed or '-'}, fold {run.fold or '-'}"
            raise UserError(
                f"two runs are {told}: {first.name} ({first.run_id}) and {run.name} ({run.run_id}); choose runs with "
                "--runs, or evaluate them with different --variant NAME (tags variant, seed, fold)"
            )


def _missing_images(runs: Sequence[EvaluatedRun]) -> list[str]:
    have: dict[str, set[tuple[str, str]]] = {run.variant: set() for run in runs}
    for run in runs:
        have[run.variant] |= {(run.fold, name) for name in run.images["name"]}
    every = {image for images in have.values() for image in images}
    return [
        f"{variant} was not evaluated on {len(every - images)} of {len(every)} images: compared on the others only."
        for variant, images in sorted(have.items())
        if images != every
    ]


def _unlike(runs: Sequence[EvaluatedRun]) -> list[str]:
    """What should be alike, and is not."""
    notes = []
    by_fold: dict[str, set[str]] = {}
    for run in runs:
        by_fold.setdefault(run.fold, set()).add(str(run.summary.get("data_fingerprint", "")))
    if any(len(prints) > 1 for prints in by_fold.values()):
        notes.append(
            "The runs' data sets differ (fingerprints), although the compared images have the same true masks: "
            "they may have been trained on different images."
        )
    notes += _same_but_seed(runs)
    seeds = {variant: {(run.seed, run.fold) for run in runs if run.variant == variant} for variant in
             sorted({run.variant for run in runs})}  # fmt: skip
    if len({frozenset(have) for have in seeds.values()}) > 1:
        counts = ", ".join(f"{variant} {len(have)}" for variant, have in seeds.items())
        notes.append(f"Not all variants have the same seeds and folds (trainings: {counts}).")
    return notes


def _same_but_seed(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Variants that are trainings of one: apart they are one training each, of which no verdict can be had."""
    alike: dict[frozenset[tuple[str, str]], dict[str, str]] = {}
    for run in runs:
        recipe = frozenset((name, value) for name, value in run.parameters.items() if name not in _NO_RECIPE)
        if recipe and run.seed:
            alike.setdefault(recipe, {})[run.variant] = run.seed
    return [
        f"{some_of(list(seeds))} were trained with the same settings and seeds {some_of(list(seeds.values()))}: "
        "evaluate them with the same --variant NAME, since several trainings of one variant say more."
        for seeds in alike.values()
        if len(seeds) > 1 and len(set(seeds.values())) == len(seeds)
    ]
