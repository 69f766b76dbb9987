"""What a difference means, in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.comparison.measures import Measure
from pipeline.comparison.paired import Cluster, Difference, TrainingsSpread

BETTER, WORSE, ALIKE = "better", "worse", "not distinguishable"
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Verdict:
    """Whether a variant is better than the baseline in one score.

    Attributes:
        word: ``better``, ``worse`` or ``not distinguishable``.
        sentence: why.
    """

    word: str
    sentence: str


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
        variant: name.
        baseline: name.
        measure: the score.
        difference: variant minus baseline.
        p_adjusted: its p, corrected for the number of variants.
        wilcoxon_adjusted: that of Wilcoxon's test, likewise.
        variants: how many are compared with the baseline.
    """
    if difference.images == 0:
        return Verdict(ALIKE, f"{variant} and {baseline} share no image on which {measure.title} is defined.")
    alike = f"{variant} is {ALIKE} from {baseline} with this data"
    how = f"{measure.title} {difference.mean:+.4f} on the mean of {_count(difference.images, 'image')}"
    if difference.trainings_spread is TrainingsSpread.UNKNOWN:
        return Verdict(
            ALIKE,
            f"{alike}: {how}, but with only one training the spread between seeds is unknown, so a difference between "
            "the variants can't be told from chance. Train each with two seeds or more."
            + (f" (Interval over {_parts(difference)} only: {_interval(difference)}.)" if _known(difference) else ""),
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
        return Verdict(ALIKE, f"{alike}: {said}{ruled_out if crossed else after}.")
    word = BETTER if (difference.mean > 0) == measure.higher else WORSE
    corrected = f" after the correction for {variants} variants" if variants > 1 else ""
    doubt = (
        ""
        if wilcoxon_adjusted < SIGNIFICANT
        else f" Image by image it is less clear (Wilcoxon p = {wilcoxon_adjusted:.2g}): look at the individual images."
    )
    return Verdict(word, f"{variant} is {word} than {baseline}: {said}, p = {p_adjusted:.2g}{corrected}.{doubt}")


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
