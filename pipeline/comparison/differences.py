"""Every variant against the baseline, in every score, and what a difference means in plain words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.comparison.paired import Cluster, Difference, TrainingsSpread, paired_difference
from pipeline.comparison.scores import MEASURES, Measure
from pipeline.comparison.variant_scores import score_rows, variants_of


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values, in the order given; NaN stays NaN and does not count.

    S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    values = np.asarray(p_values, float)
    adjusted = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known])]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps)) if len(order) else []
    return adjusted.tolist()


BETTER, WORSE, ALIKE = "better", "worse", "not distinguishable"
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Verdict:
    """Whether a variant is ``better``, ``worse`` or ``not distinguishable`` in one score, and why.

    Attributes:
        aside: why a number that stands beside it seems to say otherwise; empty where none does.
    """

    word: str
    sentence: str
    aside: str = ""


def judge(
    variant: str,
    baseline: str,
    measure: Measure,
    difference: Difference,
    p_adjusted: float,
    wilcoxon_adjusted: float,
    variants: int,
) -> Verdict:
    """Judge one difference.

    A variant is better or worse only where the interval says so after the correction for the number of variants, and
    the spread between trainings is in it.

    Args:
        difference: variant minus baseline, in `measure`.
        p_adjusted: its p, corrected for the number of variants.
        wilcoxon_adjusted: that of Wilcoxon's test, likewise.
        variants: how many are compared with the baseline.
    """
    if difference.images == 0:
        return Verdict(ALIKE, f"{variant} and {baseline} share no image on which {measure.title} is defined.")
    alike = f"{variant} is {ALIKE} from {baseline} with this data"
    how = f"{measure.title} {difference.mean:+.4f} on the mean of {_count(difference.images, 'image')}"
    if difference.trainings_spread is TrainingsSpread.UNKNOWN:
        sure = min(p_adjusted, wilcoxon_adjusted, key=lambda p: math.inf if math.isnan(p) else p) < SIGNIFICANT
        return Verdict(
            ALIKE,
            f"{alike}: {how}, but with only one training the spread between seeds is unknown, so a difference between "
            "the variants can't be distinguished from chance. Train each with two seeds or more."
            + (f" (Interval over {_parts(difference)} only: {_interval(difference)}.)" if _known(difference) else ""),
            _ONE_TRAINING if sure else "",
        )
    if not _known(difference):
        return Verdict(ALIKE, f"{alike}: {how}; no interval with one image.")
    over = _parts(difference) + _SPREAD[difference.trainings_spread]
    said = f"{how} (95 % interval {_interval(difference)}, over {over})"
    if not p_adjusted < SIGNIFICANT:
        crossed = difference.low <= 0 <= difference.high
        after = "" if crossed else f"; after the correction for {variants} variants this is no evidence"
        unlikely = [f"below {difference.low:+.4f}"] * (difference.low > -measure.largest)
        unlikely += [f"above {difference.high:+.4f}"] * (difference.high < measure.largest)
        ruled_out = f"; a difference {' or '.join(unlikely)} is unlikely" if unlikely else ""
        asides = [] if crossed else [f"The interval is that of this variant alone; p allows for {variants} variants."]
        asides += [_WILCOXON] * (wilcoxon_adjusted < SIGNIFICANT)
        return Verdict(ALIKE, f"{alike}: {said}{ruled_out if crossed else after}.", " ".join(asides))
    word = BETTER if (difference.mean > 0) == measure.higher else WORSE
    corrected = f" after the correction for {variants} variants" if variants > 1 else ""
    doubt = (
        ""
        if wilcoxon_adjusted < SIGNIFICANT
        else f" Image by image it is less clear (Wilcoxon p = {wilcoxon_adjusted:.2g}): look at the individual images."
    )
    sentence = f"{variant} is {word} than {baseline}: {said}, p = {p_adjusted:.2g}{corrected}.{doubt}"
    return Verdict(word, sentence, _FEW_IMAGES if doubt else "")


#: why a p beside a verdict seems to contradict it
_ONE_TRAINING = (
    "The p are over the images of one training each; another seed could have made the difference, so that there is no "
    "verdict."
)
_WILCOXON = (
    "Wilcoxon's p takes the images for independent and one training for the variant, so it is small for chance "
    "differences, too; the verdict goes by the p before it."
)
_FEW_IMAGES = (
    "The mean over the images says so, by the first p; Wilcoxon's p asks how many images agree, and few may make the "
    "mean: look at the individual images."
)
_SPREAD = {
    TrainingsSpread.SEEDS: " and the spread between seeds",
    TrainingsSpread.FOLDS: ", each with its own trainings",
    TrainingsSpread.SAME_WEIGHTS: "; both are evaluations of the same trained weights",
}


def _parts(difference: Difference) -> str:
    if difference.cluster is Cluster.IMAGE:
        return f"{_count(difference.images, 'image')} of one source, so for this source only"
    return _count(difference.clusters, difference.cluster.value)


def _interval(difference: Difference) -> str:
    return f"{difference.low:+.4f} to {difference.high:+.4f}"


def _known(difference: Difference) -> bool:
    return not math.isnan(difference.low)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


@dataclass(frozen=True)
class Comparison:
    """A variant against the baseline in one score.

    Attributes:
        difference: variant minus baseline.
        p: of the difference, corrected for the number of variants (Holm).
        p_wilcoxon: of Wilcoxon's test, likewise.
    """

    variant: str
    measure: Measure
    difference: Difference
    p: float
    p_wilcoxon: float
    verdict: Verdict


def compare_variants(runs: Sequence[EvaluatedRun], baseline: str) -> list[Comparison]:
    """Compare every variant with the baseline in every score that the runs have; scores in the order of MEASURES."""
    others = [variant for variant in variants_of(runs) if variant != baseline]
    comparisons = []
    for measure in MEASURES:
        rows = score_rows(runs, measure.name)
        if rows["value"].isna().all():
            continue
        theirs = rows[rows["variant"] == baseline]
        differences = [
            paired_difference(rows[rows["variant"] == variant], theirs, largest=measure.largest) for variant in others
        ]
        p_values = holm([difference.p for difference in differences])
        wilcoxon = holm([difference.p_wilcoxon for difference in differences])
        for variant, difference, p, w in zip(others, differences, p_values, wilcoxon, strict=True):
            verdict = judge(variant, baseline, measure, difference, p, w, len(others))
            comparisons.append(Comparison(variant, measure, difference, p, w, verdict))
    return comparisons


def differences_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """A row for each variant and score."""
    return pd.DataFrame(
        {
            "variant": one.variant,
            "measure": one.measure.name,
            "difference": one.difference.mean,
            "low": one.difference.low,
            "high": one.difference.high,
            "p_holm": one.p,
            "p_wilcoxon_holm": one.p_wilcoxon,
            "images": one.difference.images,
            "clusters": one.difference.clusters,
            "cluster": one.difference.cluster.value,
            "trainings_spread": one.difference.trainings_spread.value,
            "verdict": one.verdict.word,
            "sentence": one.verdict.sentence,
        }
        for one in comparisons
    )
