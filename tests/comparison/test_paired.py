from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_1samp, ttest_ind, wilcoxon

from pipeline.comparison.differences import ALIKE, BETTER, WORSE, judge
from pipeline.comparison.paired import paired_difference
from pipeline.comparison.scores import BY_NAME
from tests.comparison.simulated import dice_rows


def verdict(variant: pd.DataFrame, baseline: pd.DataFrame) -> str:
    difference = paired_difference(variant, baseline)
    return judge("a", "b", BY_NAME["dice"], difference, difference.p, difference.p_wilcoxon, 1).word


def table(values: np.ndarray, fold: str = "", sources: list[str] | None = None, **more: object) -> pd.DataFrame:
    """Seeds x images."""
    rows = [
        {
            "fold": fold,
            "seed": str(s),
            "name": str(i),
            "source": sources[i] if sources else str(i),
            "value": value,
            **more,
        }
        for s, row in enumerate(np.atleast_2d(values))
        for i, value in enumerate(row)
    ]
    return pd.DataFrame(rows)


def test_noise_on_the_predictions_is_found_and_seen_from_its_side_too():
    random = np.random.default_rng(0)
    clean, noisy = dice_rows(random, 3), dice_rows(random, 3, noise=True)
    assert verdict(noisy, clean) == WORSE
    assert verdict(clean, noisy) == BETTER


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_trainings_of_the_same_variant_are_not_told_apart(seeds):
    random = np.random.default_rng(seeds)
    words = [verdict(dice_rows(random, seeds), dice_rows(random, seeds)) for _ in range(20)]
    assert words.count(ALIKE) >= 19


def test_a_test_over_images_alone_would_tell_two_seeds_apart():
    # why the luck of trainings has to be in the interval
    random = np.random.default_rng(1)
    pairs = [paired_difference(dice_rows(random, 2), dice_rows(random, 2)) for _ in range(20)]
    assert sum(pair.p_wilcoxon < 0.05 for pair in pairs) > 5


def test_the_error_rate_over_many_simulated_experiments_is_the_stated_one():
    random = np.random.default_rng(0)
    wrong = found = 0
    for _ in range(50):
        image = random.normal(0.85, 0.05, 12)
        groups = []
        for effect in (0, 0, 0.06):
            runs = [
                random.normal(effect, 0.01) + np.repeat(random.normal(0, 0.006, 4), 3) + random.normal(0, 0.02, 12)
                for _ in range(3)
            ]
            groups.append(table(image + np.array(runs), sources=[str(i // 3) for i in range(12)]))
        wrong += paired_difference(groups[1], groups[0]).p < 0.05
        found += paired_difference(groups[2], groups[0]).p < 0.05
    assert wrong <= 6  # 2.5 are expected; more than 6 would come about once in a hundred times
    assert found >= 40


def test_many_sources_without_luck_give_the_t_test_over_sources():
    random = np.random.default_rng(2)
    base = random.normal(0.8, 0.1, 40)
    change = random.normal(0.01, 0.03, 40)
    difference = paired_difference(table(base + change, checkpoint="x"), table(base, checkpoint="x"))
    assert difference.trainings_spread == "same weights"
    expected = ttest_1samp(change, 0)
    interval = expected.confidence_interval()
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high), abs=1e-3)
    assert difference.p == pytest.approx(expected.pvalue, abs=0.02)
    assert difference.p_wilcoxon == pytest.approx(wilcoxon(change).pvalue)


def test_many_seeds_without_a_difference_of_sources_give_the_t_test_over_trainings():
    random = np.random.default_rng(3)
    ours, theirs = random.normal(0.81, 0.01, 5), random.normal(0.80, 0.01, 5)
    image = random.normal(0, 0.1, 6)
    difference = paired_difference(table(ours[:, None] + image), table(theirs[:, None] + image))
    expected = ttest_ind(ours, theirs, equal_var=False)
    interval = expected.confidence_interval()
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high))
    assert difference.p == pytest.approx(expected.pvalue)


def test_trainings_of_unequal_folds_count_by_the_folds_share_of_the_images():
    """The mean is that of the folds, weighted by their images, and each fold was trained for independently."""
    images, seeds = {"a": 2, "b": 6, "c": 3}, 4
    luck = np.random.default_rng(4).normal(0, 0.01, (len(images), seeds))
    luck += 0.01 - luck.mean(axis=1, keepdims=True)  # without a difference of folds, luck is all there is
    ours = [table(np.outer(drawn, np.ones(n)), fold=f) for drawn, (f, n) in zip(luck, images.items(), strict=True)]
    theirs = [table(np.zeros((seeds, n)), fold=f) for f, n in images.items()]
    difference = paired_difference(pd.concat(ours), pd.concat(theirs))
    assert difference.trainings_spread == "seeds"
    shares = np.array(list(images.values())) / sum(images.values())
    error = math.sqrt(np.sum(shares**2 * luck.var(axis=1, ddof=1).mean() / seeds))
    reach = t.ppf(0.975, len(images) * (seeds - 1)) * error
    assert (difference.low, difference.high) == pytest.approx((0.01 - reach, 0.01 + reach))


def test_images_of_one_source_count_as_one():
    values = np.repeat([0.01, 0.03, 0.02], 20)
    sources = [str(i // 20) for i in range(60)]
    base = table(np.zeros(60), sources=sources, checkpoint="x")
    difference = paired_difference(table(values, sources=sources, checkpoint="x"), base)
    assert (difference.cluster, difference.clusters, difference.images) == ("source", 3, 60)
    reach = t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert difference.high - difference.mean == pytest.approx(reach, rel=0.05)


def test_folds_that_were_trained_for_separately_stand_for_seeds():
    folds = [(table(np.full(5, 0.8 + change), fold=f), table(np.full(5, 0.8), fold=f)) for f, change in
             [("a", 0.01), ("b", 0.02), ("c", 0.04)]]  # fmt: skip
    ours, theirs = (pd.concat(parts) for parts in zip(*folds, strict=True))
    difference = paired_difference(ours, theirs)
    assert (difference.trainings_spread, difference.cluster, difference.clusters) == ("folds", "fold", 3)
    assert difference.p == pytest.approx(ttest_1samp([0.01, 0.02, 0.04], 0).pvalue, rel=0.1)


def test_with_one_training_each_the_luck_is_unknown_and_said_so():
    difference = paired_difference(table(np.full(20, 0.9)), table(np.linspace(0.5, 0.6, 20)))
    assert difference.trainings_spread == "unknown"
    said = judge("a", "b", BY_NAME["dice"], difference, difference.p, difference.p_wilcoxon, 1)
    assert said.word == ALIKE
    assert "spread between seeds is unknown" in said.sentence


def test_weights_of_images():
    ours, theirs = table([0.5, 0.9]), table([0.5, 0.5])
    assert paired_difference(ours, theirs).mean == pytest.approx(0.2)
    weights = {"0": 3.0, "1": 1.0}
    ours["weight"], theirs["weight"] = ours["name"].map(weights), theirs["name"].map(weights)
    assert paired_difference(ours, theirs).mean == pytest.approx(0.1)


def test_scores_that_are_undefined_or_missing_are_left_out():
    difference = paired_difference(table([[0.5, np.nan, 0.7]] * 2), table([[0.4, 0.3]] * 2))
    assert difference.images == 1
    assert difference.mean == pytest.approx(0.1)
    nothing = paired_difference(table([np.nan]), table([0.5]))
    assert nothing.images == 0
    assert "share no image" in judge("a", "b", BY_NAME["dice"], nothing, nothing.p, nothing.p_wilcoxon, 1).sentence


def test_the_same_predictions_are_no_difference():
    rows = table(np.linspace(0.5, 0.9, 8), checkpoint="x")
    difference = paired_difference(rows, rows)
    assert (difference.mean, difference.p, difference.p_wilcoxon) == (0, 1, 1)


def test_an_interval_ends_where_differences_are_impossible():
    ours, theirs = table([[1.0, 0.9], [0.2, 1.0]]), table([[0.1, 0.0], [0.9, 0.2]])
    free = paired_difference(ours, theirs)
    assert free.low < -1
    assert free.high > 1
    clipped = paired_difference(ours, theirs, largest=1.0)
    assert (clipped.low, clipped.high, clipped.p) == (-1, 1, free.p)
