from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from pipeline.metrics import PoreCounts, PoreMetric, ProbabilityHistogram, otsu_mask
from pipeline.metrics.threshold import proven_threshold


def random_masks(seed: int, n: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return (torch.rand(n, 1, 13, 17, generator=rng) < 0.3).float(), (
        torch.rand(n, 1, 13, 17, generator=rng) < 0.2
    ).float()


def test_counts_equal_scikit_learn():
    predicted, truth = random_masks(0)
    counts = PoreCounts.of(predicted, truth)
    p, t = predicted.flatten().numpy(), truth.flatten().numpy()
    assert counts.dice == pytest.approx(sk.f1_score(t, p))
    assert counts.iou == pytest.approx(sk.jaccard_score(t, p))
    assert counts.precision == pytest.approx(sk.precision_score(t, p))
    assert counts.recall == pytest.approx(sk.recall_score(t, p))
    assert counts.porosity_error == pytest.approx(abs(p.mean() - t.mean()))
    assert counts.pixels == p.size


def test_empty_masks():
    empty, full = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    both_empty = PoreCounts.of(empty, empty)
    assert (both_empty.dice, both_empty.iou, both_empty.porosity_error) == (1, 1, 0)
    assert math.isnan(both_empty.precision)
    assert math.isnan(both_empty.recall)
    missed = PoreCounts.of(empty, full)
    assert (missed.dice, missed.recall, missed.porosity_error) == (0, 0, 1)
    assert PoreCounts.of(full, full).dice == 1


@pytest.mark.parametrize("score", ["dice", "iou", "precision", "recall", "porosity_error"])
def test_metric_pools_or_averages_over_batches(score):
    pooled, mean = PoreMetric(score, pooled=True), PoreMetric(score, pooled=False)
    every = []
    for seed in range(2):
        predicted, truth = random_masks(seed)  # masks are probabilities of 0 and 1: any threshold gives the same
        pooled(predicted, truth)
        mean(list(predicted), list(truth))  # decollated, as evaluators give it
        every += list(zip(predicted, truth, strict=True))
    total = PoreCounts.of(torch.stack([p for p, _ in every]), torch.stack([t for _, t in every]))
    assert pooled.aggregate() == pytest.approx(getattr(total, score))
    assert mean.aggregate() == pytest.approx(np.mean([getattr(PoreCounts.of(p, t), score) for p, t in every]))


def test_dice_is_that_of_the_best_threshold():
    rng = torch.Generator().manual_seed(0)
    truth = (torch.rand(2, 1, 40, 40, generator=rng) < 0.2).float()
    probability = (0.35 * truth + 0.4 * torch.rand(2, 1, 40, 40, generator=rng)).clamp(0, 1)
    threshold, best, dice = (PoreMetric(score, pooled=True) for score in ("threshold", "best_threshold", "dice"))
    for metric in (threshold, best, dice):
        metric(probability, truth)
    tried = {k / 256: sk.f1_score(truth.flatten(), (probability >= k / 256).flatten()) for k in range(52, 205)}
    assert dice.aggregate() == pytest.approx(max(tried.values()))
    assert dice.aggregate() > tried[0.5]
    assert tried[best.aggregate()] == pytest.approx(max(tried.values()))
    images = [ProbabilityHistogram.of(p, t) for p, t in zip(probability, truth, strict=True)]
    assert threshold.aggregate() == proven_threshold(images)


def test_histogram_counts_equal_the_mask():
    rng = torch.Generator().manual_seed(1)
    probability, truth = torch.rand(30, 30, generator=rng), (torch.rand(30, 30, generator=rng) < 0.3).float()
    histogram = ProbabilityHistogram.of(probability, truth)
    for threshold in (0.25, 0.5, 0.75):
        assert histogram.counts_at(threshold) == PoreCounts.of((probability >= threshold).float(), truth)


@pytest.mark.parametrize(
    ("other", "pore", "expected"), [(0.1, 0.9, 0.5), (0.625, 0.75, 161 / 256), (0.25, 0.375, 0.375)]
)
def test_of_thresholds_that_are_equally_good_the_one_nearest_to_a_half_is_taken(other, pore, expected):
    probability, truth = torch.tensor([other, pore]), torch.tensor([0, 1])
    histogram = ProbabilityHistogram.of(probability, truth)
    assert histogram.counts_at(expected).dice == 1
    assert histogram.best_threshold() == expected


def test_images_whose_score_is_undefined_are_left_out_of_the_mean():
    metric = PoreMetric("precision", pooled=False)
    truth = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 0.0]]])
    predicted = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]], [[0.0, 0.0]]])  # nothing of the last is taken for pore
    metric(predicted, truth)
    assert metric.aggregate() == pytest.approx((1 + 1 / 2) / 2)
    metric.reset()
    metric(predicted[2:], truth[2:])
    assert metric.aggregate() == 0


def test_metric_refuses_an_unknown_score():
    with pytest.raises(ValueError, match="sharpness"):
        PoreMetric("sharpness", pooled=True)


def test_otsu_takes_the_dark_side():
    image = np.array([[10, 12, 200], [11, 210, 190]], dtype=np.uint8)
    np.testing.assert_array_equal(otsu_mask(image), [[True, True, False], [True, False, False]])
    assert not otsu_mask(np.full((4, 4), 7)).any()


def test_boolean_masks_count_as_numbers_do():
    predicted, truth = random_masks(0)
    assert PoreCounts.of(predicted > 0, truth > 0) == PoreCounts.of(predicted, truth)
