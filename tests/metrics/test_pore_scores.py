from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from pipeline.metrics import PoreScores, Tolerances, TruePores
from tests.metrics.masks import EMPTY, FULL, PIXEL, blobs, disturbed


def score(predicted: np.ndarray, truth: np.ndarray, probability: np.ndarray | None = None) -> PoreScores:
    return PoreScores.of(predicted, truth, probability, TruePores.of(predicted, truth), Tolerances())


def test_pooled_scores_are_those_of_all_pixels_together_also_by_way_of_a_file():
    truths = [blobs(0), blobs(1)]
    predicted = [disturbed(truth, 7) for truth in truths]
    values = [np.where(mask, 0.8, 0.1).astype(np.float32) for mask in predicted]
    images = [score(*arrays) for arrays in zip(predicted, truths, values, strict=True)]
    pooled = images[0] + images[1]
    flat = [np.concatenate([mask.ravel() for mask in masks]) for masks in (truths, predicted)]
    assert pooled.scores()["dice"] == pytest.approx(f1_score(*flat))
    assert pooled.scores()["iou"] == pytest.approx(jaccard_score(*flat))
    difference = abs(flat[1].mean() - flat[0].mean())
    assert pooled.scores()["porosity_error_relative"] == pytest.approx(difference / flat[0].mean())
    assert pooled.scores()["calibration_error"] > 0.01
    again = PoreScores.from_dict(json.loads(json.dumps(pooled.to_dict())))
    assert again.scores() == pytest.approx(pooled.scores())
    assert (again + images[0]).pixels == pooled.pixels + images[0].pixels


@pytest.mark.parametrize(
    ("predicted", "truth", "dice", "undefined"),
    [
        (EMPTY, EMPTY, 1, {"precision", "recall", "porosity_error_relative", "small_pore_recall"}),
        (FULL, FULL, 1, {"small_pore_recall"}),
        (PIXEL, PIXEL, 1, set()),
        (EMPTY, PIXEL, 0, {"precision"}),
        (PIXEL, EMPTY, 0, {"recall", "porosity_error_relative", "small_pore_recall"}),
    ],
)
def test_masks_with_little_in_them(predicted, truth, dice, undefined):
    scores = score(predicted, truth).scores()
    assert {name for name, value in scores.items() if math.isnan(value)} == undefined
    for name in ("dice", "iou", "cl_dice", "surface_dice", "boundary_f1"):
        assert scores[name] == dice, name
    assert "brier" not in scores


def test_pores_as_objects():
    truth = np.zeros((20, 40), bool)
    truth[2, 2:30] = truth[6, 2:5] = truth[10:13, 2:5] = truth[10:13, 7:10] = True
    predicted = truth.copy()
    predicted[2, 10] = predicted[6] = False  # one is broken, one missed
    predicted[11, 5:7] = predicted[17, ::8] = True  # two are merged, five made up
    scores = score(predicted, truth).scores()
    names = ("broken_pores", "merged_pores", "missed_pores", "spurious_pores")
    assert [scores[name] for name in names] == [1, 1, 1, 5]


def test_without_probabilities_on_one_side_the_pool_has_none():
    with_them = score(PIXEL, PIXEL, np.ones(PIXEL.shape, np.float32))
    assert (with_them + score(PIXEL, PIXEL)).calibration is None


def test_a_tile_takes_a_fraction_of_a_second():
    truth = blobs(3, (343, 400))
    predicted = disturbed(truth, 3)
    started = time.process_time()
    score(predicted, truth, predicted.astype(np.float32))
    assert time.process_time() - started < 3  # 0.3 s, with a margin for a loaded machine
