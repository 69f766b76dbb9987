from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from sklearn import metrics as sk

from pipeline.metrics import PhaseMetrics, PoreCounts, ProbabilityHistogram, otsu_mask
from pipeline.metrics.phase_metrics import phase_scores
from pipeline.metrics.threshold import proven_threshold
from pipeline.phases import UNKNOWN, decided


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


def of_images(predicted, truth, phases=("pore",)) -> dict[str, float]:
    """The scores of images (N, K, H, W), as an evaluator's state has them after two batches of decollated images."""
    outputs = iter([(list(predicted[:1]), list(truth[:1])), (list(predicted[1:]), list(truth[1:]))])
    engine = Engine(lambda *_: next(outputs))
    PhaseMetrics(phases).attach(engine, "val_dice")
    return engine.run(range(2 if len(predicted) > 1 else 1)).metrics


def test_scores_are_pooled_over_all_pixels_and_errors_averaged_over_images():
    predicted, truth = random_masks(0)  # masks are probabilities of 0 and 1: any threshold gives the same
    scores = of_images(predicted, truth)
    total = PoreCounts.of(predicted, truth)
    for score in ("dice", "iou", "precision", "recall"):
        assert scores[f"val_{score}"] == pytest.approx(getattr(total, score))
    each = [PoreCounts.of(p, t) for p, t in zip(predicted, truth, strict=True)]
    assert scores["val_porosity_error"] == pytest.approx(np.mean([one.porosity_error for one in each]))
    assert scores["val_dice_per_image"] == pytest.approx(np.mean([one.dice for one in each]))
    assert "val_area_error" not in scores


def test_dice_is_that_of_the_best_threshold():
    rng = torch.Generator().manual_seed(0)
    truth = (torch.rand(2, 1, 40, 40, generator=rng) < 0.2).float()
    probability = (0.35 * truth + 0.4 * torch.rand(2, 1, 40, 40, generator=rng)).clamp(0, 1)
    scores = of_images(probability, truth)
    tried = {k / 256: sk.f1_score(truth.flatten(), (probability >= k / 256).flatten()) for k in range(52, 205)}
    assert scores["val_dice"] == pytest.approx(max(tried.values()))
    assert scores["val_dice"] > tried[0.5]
    assert tried[scores["val_best_threshold"]] == pytest.approx(max(tried.values()))
    images = [ProbabilityHistogram.of(p, t) for p, t in zip(probability, truth, strict=True)]
    assert scores["val_threshold"] == proven_threshold(images)


def test_each_phase_is_scored_by_itself_where_it_is_known():
    rng = torch.Generator().manual_seed(3)
    probability, truth = (
        torch.rand(3, 3, 20, 20, generator=rng),
        (torch.rand(3, 3, 20, 20, generator=rng) < 0.3).float(),
    )
    truth[0, :, :, 5:] = UNKNOWN  # strokes
    truth[1, 1] = UNKNOWN  # a data set that does not name the second phase
    scores = of_images(probability, truth, ("pore", "silt/grain", "crack"))
    for k, name in enumerate(("pore", "silt_grain", "crack")):
        known = [(p[k][t[k] >= 0][None], t[k][t[k] >= 0][None]) for p, t in zip(probability, truth, strict=True)]
        known = [(p, t) for p, t in known if t.numel()]
        alone = phase_scores([ProbabilityHistogram.of(p, t) for p, t in known])
        assert {name_ for name_ in scores if name_.startswith(f"{name}/")} == {f"{name}/val_{s}" for s in alone}
        for score, value in alone.items():
            assert scores[f"{name}/val_{score}"] == pytest.approx(value)
    for score in ("dice", "iou", "area_error"):
        each = [scores[f"{name}/val_{score}"] for name in ("pore", "silt_grain", "crack")]
        assert scores[f"val_{score}"] == pytest.approx(np.mean(each))


def test_areas_are_those_of_masks_in_which_phases_exclude_each_other():
    rng = torch.Generator().manual_seed(1)
    probability = torch.rand(2, 3, 20, 30, generator=rng)
    target = (torch.rand(2, 3, 20, 30, generator=rng) < 0.3).float()
    target[1, 2] = UNKNOWN  # of a data set that does not name the third, which takes no part
    target[0, :, :, :9] = UNKNOWN  # nobody labelled it
    metric = PhaseMetrics(("pore", "silt", "clay"))
    metric.update((probability, target))
    areas = metric.areas()
    for number, phase in enumerate(("pore", "silt", "clay")):
        threshold = metric.compute()[f"{phase}/val_threshold"]
        for one in areas[phase]:
            among = probability[one["number"]].numpy().copy()
            among[2] -= one["number"]  # in the second image the third is below all others
            known = target[one["number"], number].numpy() >= 0
            # masks of equal thresholds, as each phase sees them
            found = decided(among, [threshold] * 3) == number + 1
            assert one["found"] == pytest.approx(found[known].mean())
            assert one["true"] == pytest.approx((target[one["number"], number].numpy() == 1)[known].mean())
            assert one["pixels"] == known.sum()
    assert [one["number"] for one in areas["clay"]] == [0]


def test_a_phase_without_validation_images_is_left_out_of_the_mean():
    truth = torch.zeros(1, 2, 4, 4)
    truth[0, 1] = UNKNOWN
    truth[0, 0, 0] = 1
    scores = of_images(truth.clamp(0), truth, ("pore", "crack"))
    assert scores["val_dice"] == 1
    assert not any(name.startswith("crack") for name in scores)


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
    truth = torch.zeros(2, 1, 4, 4)
    truth[0, 0, 0] = 1
    nothing = torch.zeros_like(truth)
    assert of_images(nothing, truth)["val_precision"] == 0  # nothing is called pore
    assert of_images(nothing[1:], truth[1:])["val_dice"] == 1  # two empty masks agree


def test_a_key_metric_that_is_no_score_is_refused():
    engine = Engine(lambda *_: (torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)))
    PhaseMetrics(["pore"]).attach(engine, "val_sharpness")
    with pytest.raises(ValueError, match="val_sharpness"):
        engine.run([0])


def test_otsu_takes_the_dark_side():
    image = np.array([[10, 12, 200], [11, 210, 190]], dtype=np.uint8)
    np.testing.assert_array_equal(otsu_mask(image), [[True, True, False], [True, False, False]])
    assert not otsu_mask(np.full((4, 4), 7)).any()


def test_boolean_masks_count_as_numbers_do():
    predicted, truth = random_masks(0)
    assert PoreCounts.of(predicted > 0, truth > 0) == PoreCounts.of(predicted, truth)
