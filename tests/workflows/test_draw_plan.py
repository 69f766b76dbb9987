"""How often training images are drawn, against sums by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.data import Sample
from pipeline.errors import UserError
from pipeline.phases import LabelValues, Phase
from pipeline.workflows import DrawPlan


def sample(dataset: str, phase_pixels: dict[str, int], labelled: int = 1000, side: int = 50) -> Sample:
    names = tuple(phase_pixels)
    values = LabelValues(tuple(map(Phase.of, names)), tuple((number,) for number, _ in enumerate(names, 1)))
    file = Path("a.png")
    return Sample(
        "a", file, file, "a", "train", None, (20, side), values, labelled, phase_pixels, "0", "1", dataset=dataset
    )


def test_one_data_set_of_one_phase_is_drawn_by_area():
    plan = DrawPlan([sample("A", {"pore": 30}), sample("A", {"pore": 0}, 400, 20)], ["pore"])
    assert plan.image_weights == [1000, 400]
    assert plan.items([{}, {}]) == [{}, {}]  # their patches may lie anywhere


def test_a_rare_phase_is_drawn_more_often_than_a_common_one():
    samples = [sample("A", {"pore": 45, "crack": 0}), sample("A", {"pore": 135, "crack": 20})]
    plan = DrawPlan(samples, ["pore", "crack"])
    weights, shares = np.array(plan.image_weights), np.array(plan.phase_shares)
    held = weights[:, None] * shares
    assert weights.sum() == pytest.approx(1)
    assert held.sum(0) == pytest.approx([0.125, 0.375])  # half of the patches; nine times rarer, three times as often
    assert held[:, 0] == pytest.approx([0.125 * 0.25, 0.125 * 0.75])
    assert held[:, 1] == pytest.approx([0, 0.375])
    assert weights - held.sum(1) == pytest.approx([0.25, 0.25])  # the others by area
    assert all(np.array_equal(item["phase_shares"], of) for item, of in zip(plan.items([{}, {}]), shares, strict=True))


def test_data_sets_are_drawn_alike_or_by_their_weights():
    samples = [sample("big", {"pore": 500}), sample("big", {"pore": 500}), sample("small", {"pore": 5}, 100)]
    alike = np.array(DrawPlan(samples, ["pore"]).image_weights)
    assert alike[:2].sum() == pytest.approx(alike[2])
    weighed = np.array(DrawPlan(samples, ["pore"], {"small": 3}).image_weights)
    assert weighed[2] == pytest.approx(3 * weighed[:2].sum())


def test_strokes_are_drawn_by_labelled_pixels():
    plan = DrawPlan([sample("A", {"pore": 10}, 90), sample("A", {"pore": 10}, 10)], ["pore"])
    weights, shares = np.array(plan.image_weights), np.array(plan.phase_shares)[:, 0]
    assert weights * shares == pytest.approx([0.25, 0.25])
    assert weights * (1 - shares) == pytest.approx([0.45, 0.05])


@pytest.mark.parametrize(
    ("weights", "said"), [({"C": 1}, "C"), ({"A": -1}, "0 or more"), ({"A": 0}, "every data set has weight 0")]
)
def test_weights_that_can_not_be_are_refused(weights, said):
    with pytest.raises(UserError, match=said):
        DrawPlan([sample("A", {"pore": 1})], ["pore"], weights)
