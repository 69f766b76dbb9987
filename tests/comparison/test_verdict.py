from __future__ import annotations

import pandas as pd
import pytest

from pipeline.comparison.differences import ALIKE, BETTER, WORSE, judge
from pipeline.comparison.paired import Cluster, Difference, TrainingsSpread
from pipeline.comparison.scores import BY_NAME


def difference(mean: float, low: float, high: float, spread: TrainingsSpread = TrainingsSpread.SEEDS) -> Difference:
    return Difference(mean, low, high, 0.01, 0.01, 20, 4, Cluster.SOURCE, spread, pd.DataFrame())


@pytest.mark.parametrize(
    ("measure", "sign", "word"),
    [("dice", 1, BETTER), ("dice", -1, WORSE), ("porosity_error", 1, WORSE), ("porosity_error", -1, BETTER)],
)
def test_which_way_is_better(measure, sign, word):
    low, high = sorted((sign * 0.01, sign * 0.03))
    said = judge("a", "b", BY_NAME[measure], difference(sign * 0.02, low, high), 0.01, 0.01, 2)
    assert said.word == word
    assert f"a is {word} than b" in said.sentence
    assert "4 sources" in said.sentence


def test_an_interval_that_the_correction_makes_no_evidence_of():
    said = judge("a", "b", BY_NAME["dice"], difference(0.02, 0.001, 0.039), 0.12, 0.01, 4)
    assert said.word == ALIKE
    assert "after the correction for 4 variants" in said.sentence


def test_a_gain_that_few_images_make_is_told():
    said = judge("a", "b", BY_NAME["dice"], difference(0.02, 0.01, 0.03), 0.01, 0.4, 1)
    assert said.word == BETTER
    assert "Wilcoxon p = 0.4" in said.sentence


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-0.8, 0.9, "; a difference below -0.8000 or above +0.9000 is unlikely."),
        (-1.0, 0.9, "; a difference above +0.9000 is unlikely."),
        (-1.0, 1.0, "and the spread between seeds)."),
    ],
)
def test_what_is_impossible_is_not_called_unlikely(low, high, told):
    assert judge("a", "b", BY_NAME["dice"], difference(0.02, low, high), 0.9, 0.9, 1).sentence.endswith(told)


@pytest.mark.parametrize(
    ("difference_of", "p", "wilcoxon", "told"),
    [
        (difference(0.02, -0.01, 0.05), 0.2, 0.001, "Wilcoxon's p takes the images for independent"),
        (difference(0.02, 0.001, 0.039), 0.12, 0.4, "p allows for 3 variants"),
        (difference(0.02, 0.01, 0.03, TrainingsSpread.UNKNOWN), 0.001, 0.001, "one training each"),
        (difference(0.02, 0.01, 0.03), 0.01, 0.4, "how many images agree"),
        (difference(0.02, -0.01, 0.05), 0.2, 0.3, ""),
        (difference(0.02, 0.01, 0.03), 0.01, 0.02, ""),
        (difference(0.02, -0.01, 0.05, TrainingsSpread.UNKNOWN), 0.2, 0.3, ""),
    ],
)
def test_numbers_that_seem_to_say_otherwise_are_explained_beside_the_verdict(difference_of, p, wilcoxon, told):
    aside = judge("a", "b", BY_NAME["dice"], difference_of, p, wilcoxon, 3).aside
    assert told in aside
    assert bool(aside) == bool(told)
