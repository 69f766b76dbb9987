"""Whether runs were evaluated on the same data, in the same way: what differs makes a comparison wrong, or smaller."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.errors import UserError
from pipeline.wording import some_of

#: parameters of a run that don't make it another variant
_NO_RECIPE = {"variant", "seed", "fold", "dataset_dir", "device", "processes"}
#: parameters of a run: how many pixels a step of its training sees
_PIXELS_OF_A_STEP = ("batch_size", "patch_size")
#: of a summary: how the network was applied
_SETTINGS = (
    "mirror",
    "statistics",
    "precision",
    "flatten_shading",
    "halo",
    "skip_empty",
    "rescale",
    "prompt",
    "sentences",
)


def check_same_data(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Refuse runs that can't be compared; returns notes on what is left out of the comparison.

    Raises:
        UserError: an image with another truth in one run than in another, two runs of the same variant, seed and fold,
            or tolerances that differ.
    """
    _check_single(runs)
    for what, name in (("tolerances", "tolerances of the scores"), ("split", "splits")):
        values: dict[str, list[str]] = {}
        for run in runs:
            values.setdefault(str(run.summary.get(what)), []).append(run.name)
        if len(values) > 1:
            groups = "; ".join(f"{value}: {some_of(names)}" for value, names in sorted(values.items()))
            remedy = ", or choose a split with --split" if what == "split" else ""
            raise UserError(
                f"the runs were evaluated with different {name} ({groups}): evaluate them in the same way, or choose "
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
    return [
        *_missing_images(runs), *_other_ways(runs), *_other_budgets(runs), *_other_shapes(runs), *_unlike(runs)
    ]  # fmt: skip


def _check_single(runs: Sequence[EvaluatedRun]) -> None:
    seen: dict[tuple[str, str, str], EvaluatedRun] = {}
    for run in runs:
        key = (run.variant, run.seed, run.fold)
        first = seen.setdefault(key, run)
        if first is not run:
            which = f"variant {run.variant}, seed {run.seed or '-'}, fold {run.fold or '-'}"
            raise UserError(
                f"two runs are {which}: {first.name} ({first.run_id}) and {run.name} ({run.run_id}); choose runs with "
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


def _other_ways(runs: Sequence[EvaluatedRun]) -> list[str]:
    """A note on how the evaluations differ; what a run does not say is no difference."""
    if not (differing := _differing(runs, (*_SETTINGS, "threshold"), _setting)):
        return []
    return [
        f"The runs were evaluated in different ways, which may be all that makes them differ ({differing}): "
        "evaluate them in the same way."
    ]


def _other_budgets(runs: Sequence[EvaluatedRun]) -> list[str]:
    """A note on trainings that had more steps or pixels than others."""
    if not (differing := _differing(runs, ("steps", *_PIXELS_OF_A_STEP), _budget)):
        return []
    return [
        f"The trainings had different budgets, which may be all that makes them differ ({differing}): "
        "give each the same --max_epochs and the same of these settings."
    ]


def _differing(
    runs: Sequence[EvaluatedRun], names: Iterable[str], value_of: Callable[[EvaluatedRun, str], str | None]
) -> str:
    """Which of some things differ from run to run, and how; what has no value is no difference."""
    differing = []
    for what in names:
        values: dict[str, list[EvaluatedRun]] = {}
        for run in runs:
            if (value := value_of(run, what)) is not None:
                values.setdefault(value, []).append(run)
        if len(values) > 1:
            groups = [f"{value} for {some_of(_names(own, runs))}" for value, own in sorted(values.items())]
            differing.append(f"{what}: {', '.join(groups)}")
    return "; ".join(differing)


def _other_shapes(runs: Sequence[EvaluatedRun]) -> list[str]:
    earlier = [run for run in runs if run.earlier_shapes]
    if not earlier or len(earlier) == len([run for run in runs if not run.pores.empty]):
        return []
    return [
        f"Aspect ratios of pores have an earlier definition in the evaluations of {some_of(_names(earlier, runs))}: "
        "evaluate them again, or don't rely on the strata of aspect ratio and orientation."
    ]


def _setting(run: EvaluatedRun, name: str) -> str | None:
    """How a network was applied; None where the summary is of a version that did not record it, or the model's own."""
    if name != "threshold":
        return json.dumps(run.summary[name]).strip('"') if name in run.summary else None
    used, own = run.summary.get("threshold"), run.summary.get("model_threshold")
    if used is None or own is None:
        return None
    if used == own:
        return "the model's"
    return ", ".join(f"{name}={value:g}" for name, value in used.items()) if isinstance(used, dict) else f"{used:g}"


def _budget(run: EvaluatedRun, name: str) -> str | None:
    """What a training that ended by itself had of steps, or of pixels in each; None where it is not known."""
    parameters = run.stored.parameters
    if run.stored.status != "FINISHED":  # which is told on its own
        return None
    if name != "steps":
        return parameters.get(name)
    try:
        planned, each = int(parameters["max_epochs"]), int(parameters["steps_per_epoch"])
    except (KeyError, ValueError):  # no training of ours, or one of an earlier version
        return None
    return str(max(planned, run.epochs or 0) * each)  # one that was resumed for longer keeps its first plan


def _names(own: Sequence[EvaluatedRun], runs: Sequence[EvaluatedRun]) -> list[str]:
    """Variants of runs; the runs themselves where they are not all of a variant's."""
    of_others = {run.variant for run in runs if run not in own}
    return list(dict.fromkeys(f"the run {run.name}" if run.variant in of_others else run.variant for run in own))


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
    notes += [*_other_sentences(runs), *_same_but_seed(runs)]
    seeds: dict[str, set[tuple[str, str]]] = {}
    for run in sorted(runs, key=lambda run: run.variant):
        seeds.setdefault(run.variant, set()).add((run.seed, run.fold))
    if len({frozenset(have) for have in seeds.values()}) > 1:
        counts = ", ".join(f"{variant} {len(have)}" for variant, have in seeds.items())
        notes.append(f"Not all variants have the same seeds and folds (trainings: {counts}).")
    return notes


def _other_sentences(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Images that two runs asked with sentences of their own, which were others: no fingerprint holds sentences."""
    asked = [run.images for run in runs if run.summary.get("sentences") and run.summary.get("reads_prompt")]
    texts = pd.concat(asked).groupby("name")["prompt"].nunique() if asked else pd.Series(dtype=int)
    if not (other := [str(name) for name in texts[texts > 1].index]):
        return []
    return [
        f"The runs asked {some_of(other)} with different sentences, which may be all that makes them differ: evaluate "
        "them with the same ones."
    ]


def _same_but_seed(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Variants that are trainings of one: apart they are one training each, of which no verdict can be had."""
    alike: dict[frozenset[tuple[str, str]], dict[str, set[str]]] = {}
    for run in runs:
        recipe = frozenset((name, value) for name, value in run.stored.parameters.items() if name not in _NO_RECIPE)
        if recipe and run.seed:
            alike.setdefault(recipe, {}).setdefault(run.variant, set()).add(run.seed)
    notes = []
    for variants in alike.values():
        every = [seed for seeds in variants.values() for seed in sorted(seeds, key=_by_number)]
        if len(variants) < 2 or len(set(every)) < len(every):
            continue
        each = [f"{variant}: {', '.join(sorted(seeds, key=_by_number))}" for variant, seeds in variants.items()]
        notes.append(
            f"{some_of(list(variants))} were trained with the same settings and seeds {some_of(every)} "
            f"({'; '.join(each)}): evaluate them with the same --variant NAME, since several trainings "
            "of one variant say more."
        )
    return notes


def _by_number(seed: str) -> tuple[int, str]:
    return (int(seed) if seed.isdigit() else -1, seed)
