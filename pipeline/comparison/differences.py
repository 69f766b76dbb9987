"""Every variant against the baseline, in every score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from pipeline.comparison.holm import holm
from pipeline.comparison.measures import MEASURES, Measure
from pipeline.comparison.paired import Difference, paired_difference
from pipeline.comparison.runs import EvaluatedRun
from pipeline.comparison.table import score_rows, variants_of
from pipeline.comparison.verdict import Verdict, judge


@dataclass(frozen=True)
class Comparison:
    """A variant against the baseline in one score.

    Attributes:
        variant: its name.
        measure: the score.
        difference: variant minus baseline.
        p: of the difference, corrected for the number of variants (Holm).
        p_wilcoxon: of Wilcoxon's test, likewise.
        verdict: in words.
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
