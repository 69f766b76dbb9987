"""The difference of two variants, image by image, and how sure it is.

Three things make two variants differ by chance. *Which rock was looked at*: images of one source are alike, so the
source is resampled, not the image. *The luck of a training*: another seed gives other weights, and with them a
difference that all images share, which no number of images averages out; it is known only where a variant was trained
more than once. *Which images of a source* there are, which is a part of the first.

An interval over images alone takes the luck of one training for a property of the variant: in the simulations of
`tests/comparison/test_paired.py`, Wilcoxon's test declares trainings of the same variant different in more than a
quarter of the pairs, and the interval below in one of twenty or fewer. Here

    SE^2 = V_source + V_variant + V_baseline,

where V_source comes from a bootstrap over sources of the differences (each variant averaged over its seeds first), and
V_variant and V_baseline from the spread between trainings. The interval is the difference +- t SE with Satterthwaite's
degrees of freedom, as few sources and few seeds leave the SE itself unsure. In the bootstrap n - 1 of n sources are
drawn: with n, the variance would be too small by (n - 1) / n, which halves it with two sources.

B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 12 (bootstrap standard error,
bootstrap with t); P. J. McCarthy and C. B. Snowden, The Bootstrap and Finite Population Sampling (1985; n - 1 draws);
F. E. Satterthwaite, Biometrics Bulletin 2 (1946); A. B. Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1
(2007), on why both factors must be in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pandas as pd
from scipy.stats import t as student
from scipy.stats import wilcoxon

LEVEL = 0.95
_REPLICATES = 2000
_DRAWN_AT_ONCE = 2_000_000  # numbers


class TrainingsSpread(str, Enum):
    """Whether the spread between trainings is in an interval, and where it was taken from."""

    #: several seeds of each variant
    SEEDS = "seeds"
    #: the folds, which were trained for separately
    FOLDS = "folds"
    #: both variants are evaluations of the same trainings, so that there is none
    SAME_WEIGHTS = "same weights"
    UNKNOWN = "unknown"


class Cluster(str, Enum):
    """What a bootstrap resamples."""

    SOURCE = "source"
    FOLD = "fold"
    IMAGE = "image"


@dataclass(frozen=True)
class Difference:
    """Variant minus baseline.

    Attributes:
        mean: over the images, each variant averaged over its seeds first.
        low: lower end of the 95 % interval; NaN where it can't be known.
        high: its upper end.
        p: two-sided, that of the interval.
        p_wilcoxon: of Wilcoxon's signed-rank test over the images; it takes them for independent, and one training for
            the variant.
        images: how many were paired.
        clusters: how many parts the bootstrap resampled ...
        cluster: ... and what they are.
        trainings_spread: whether the spread between trainings is in the interval.
        by_image: difference of each image: fold, name, source, difference, weight.
    """

    mean: float
    low: float
    high: float
    p: float
    p_wilcoxon: float
    images: int
    clusters: int
    cluster: Cluster
    trainings_spread: TrainingsSpread
    by_image: pd.DataFrame


def paired_difference(
    variant: pd.DataFrame, baseline: pd.DataFrame, seed: int = 0, largest: float = math.inf
) -> Difference:
    """Compare two variants over the images that both have; undefined scores are left out.

    Args:
        variant: a row for each image and training: ``fold``, ``seed``, ``name``, ``source``, ``value``; ``checkpoint``
            (hash of the checkpoint, may be empty) and ``weight`` (how much the image counts; 1 where missing).
        baseline: likewise.
        seed: of the bootstrap.
        largest: difference that is possible; the interval ends there.
    """
    ours, theirs = _by_seed(variant), _by_seed(baseline)
    items = _items(variant, baseline, ours, theirs)
    difference, weight = items["difference"].to_numpy(), items["weight"].to_numpy()
    if not len(items) or not weight.sum():
        nothing = math.nan
        nowhere = Cluster.IMAGE, TrainingsSpread.UNKNOWN
        return Difference(nothing, nothing, nothing, nothing, nothing, 0, 0, *nowhere, items.reset_index())
    mean = float(np.average(difference, weights=weight))
    spread = _spread(variant, baseline, items)
    cluster, parts = _clusters(items, spread)
    components = [(_bootstrap_variance(items, parts, seed), len(set(parts)) - 1)]
    if spread is TrainingsSpread.SEEDS:
        components += [_training_variance(values, items) for values in (ours, theirs)]
    elif spread is TrainingsSpread.SAME_WEIGHTS:
        shared = ours.columns.intersection(theirs.columns)
        components.append(_training_variance(ours[shared] - theirs[shared], items))
    low, high, p = _interval(mean, components)
    return Difference(
        mean,
        low=float(np.clip(low, -largest, largest)),
        high=float(np.clip(high, -largest, largest)),
        p=p,
        p_wilcoxon=_wilcoxon(difference),
        images=len(items),
        clusters=len(set(parts)),
        cluster=cluster,
        trainings_spread=spread,
        by_image=items.reset_index(),
    )


def _by_seed(rows: pd.DataFrame) -> pd.DataFrame:
    """Images (fold, name) x seeds."""
    return rows.groupby(["fold", "name", "seed"])["value"].mean().unstack("seed")


def _items(variant: pd.DataFrame, baseline: pd.DataFrame, ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """The images that both have, with source, weight and difference."""
    about = pd.concat([variant, baseline]).groupby(["fold", "name"])
    weight = about["weight"].mean() if "weight" in variant else 1.0
    items = pd.DataFrame({"source": about["source"].first(), "weight": weight})
    items["difference"] = ours.mean(axis=1).sub(theirs.mean(axis=1))
    return items.dropna(subset="difference")


def _spread(variant: pd.DataFrame, baseline: pd.DataFrame, items: pd.DataFrame) -> TrainingsSpread:
    """Where the spread between trainings can be taken from."""
    keys = ["fold", "seed"]
    hashes = [
        rows[rows["checkpoint"] != ""].groupby(keys)["checkpoint"].first()
        if "checkpoint" in rows
        else pd.Series(dtype=str)
        for rows in (variant, baseline)
    ]
    if len(hashes[0]) and hashes[0].equals(hashes[1]):
        return TrainingsSpread.SAME_WEIGHTS
    replicated = [len(rows[keys].drop_duplicates()) > rows["fold"].nunique() for rows in (variant, baseline)]
    if all(replicated):
        return TrainingsSpread.SEEDS
    several = items.index.get_level_values("fold").nunique() > 1
    return TrainingsSpread.FOLDS if several else TrainingsSpread.UNKNOWN


def _clusters(items: pd.DataFrame, spread: TrainingsSpread) -> tuple[Cluster, np.ndarray]:
    """What is resampled: sources; folds, if they have to stand for the trainings; images, if there is one source."""
    folds = items.index.get_level_values("fold").to_numpy()
    if spread is TrainingsSpread.FOLDS:
        return Cluster.FOLD, folds
    if items["source"].nunique() > 1:
        return Cluster.SOURCE, items["source"].to_numpy()
    return Cluster.IMAGE, np.arange(len(items))


def _bootstrap_variance(items: pd.DataFrame, parts: np.ndarray, seed: int) -> float:
    """Variance of the mean difference over draws of n - 1 of n parts; NaN with one part."""
    weighted = pd.DataFrame({"sum": items["difference"] * items["weight"], "weight": items["weight"]})
    sums = weighted.groupby(parts).sum()
    count = len(sums)
    if count < 2:
        return math.nan
    random = np.random.default_rng(seed)
    numerator, denominator = sums["sum"].to_numpy(), sums["weight"].to_numpy()
    step = max(1, _DRAWN_AT_ONCE // count)
    draws = []
    for first in range(0, _REPLICATES, step):
        chosen = random.integers(0, count, (min(step, _REPLICATES - first), count - 1))
        total = denominator[chosen].sum(1)
        draws.append(numerator[chosen].sum(1)[total > 0] / total[total > 0])
    return float(np.var(np.concatenate(draws)))


def _training_variance(values: pd.DataFrame, items: pd.DataFrame) -> tuple[float, int]:
    """Variance that the luck of its trainings gives a variant's mean, and its degrees of freedom.

    The spread between seeds is taken within each fold, and pooled over the folds.
    """
    squares, freedom, of_mean = 0.0, 0, 0.0
    for _, rows in values.reindex(items.index).groupby(level="fold"):
        weight = items.loc[rows.index, "weight"]
        rows = rows.dropna(axis=1, how="all")
        means = rows.mul(weight, axis=0).sum() / rows.notna().mul(weight, axis=0).sum()
        squares += float(((means - means.mean()) ** 2).sum())
        freedom += len(means) - 1
        of_mean += (weight.sum() / items["weight"].sum()) ** 2 / len(means)
    # without freedom: evaluations of the same weights, of one training
    return (of_mean * squares / freedom, freedom) if freedom else (0.0, 0)


def _interval(mean: float, components: list[tuple[float, int]]) -> tuple[float, float, float]:
    variance = sum(part for part, _ in components)
    if math.isnan(variance):
        return math.nan, math.nan, math.nan
    if variance == 0:  # not a single difference between them, or the very same one everywhere
        return mean, mean, 1.0 if mean == 0 else 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in components if part and degrees)
    error = math.sqrt(variance)
    reach = float(student.ppf((1 + LEVEL) / 2, freedom)) * error
    return mean - reach, mean + reach, float(2 * student.sf(abs(mean) / error, freedom))


def _wilcoxon(difference: np.ndarray) -> float:
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference).pvalue)
