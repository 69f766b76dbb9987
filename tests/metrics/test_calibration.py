from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics.calibration import calibration_binning
from sklearn.metrics import brier_score_loss

from pipeline.metrics import Calibration
from pipeline.metrics.calibration import BINS
from tests.metrics.masks import EMPTY, FULL, PIXEL, blobs


def probability(truth: np.ndarray, seed: int) -> np.ndarray:
    logits = 3 * truth - 2 + np.random.default_rng(seed).normal(0, 1.5, truth.shape)
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_monai_and_scikit_learn(seed):
    truth = blobs(seed)
    values = probability(truth, seed)
    ours = Calibration.of(values, truth)
    batch = [torch.from_numpy(array)[None, None] for array in (values, truth.astype(np.float32))]
    mean_p, share, counts = (tensor[0, 0].numpy() for tensor in calibration_binning(*batch, num_bins=BINS))
    np.testing.assert_array_equal(ours.pixels, counts)
    np.testing.assert_allclose(ours.mean_probability, mean_p, atol=1e-5)
    np.testing.assert_allclose(ours.pore_share, share, atol=1e-5)
    weights = counts / counts.sum()
    assert ours.expected_calibration_error == pytest.approx(np.nansum(weights * abs(mean_p - share)), abs=1e-5)
    assert ours.expected_calibration_error > 0.02
    assert ours.brier == pytest.approx(brier_score_loss(truth.ravel(), values.ravel()))


def test_probabilities_that_mean_what_they_say_have_a_small_error_and_others_have_not():
    random = np.random.default_rng(0)
    values = random.random((400, 400)).astype(np.float32)
    truth = random.random((400, 400)) < values
    assert Calibration.of(values, truth).expected_calibration_error < 0.005
    assert Calibration.of(values, truth).brier == pytest.approx(1 / 6, abs=0.003)  # the mean of p (1 - p)
    sharper = np.where(values > 0.5, 1, 0).astype(np.float32)
    assert Calibration.of(sharper, truth).expected_calibration_error == pytest.approx(0.25, abs=0.005)


def test_images_pool():
    truths = [blobs(0), blobs(1, (30, 40))]
    values = [probability(truth, seed) for seed, truth in enumerate(truths)]
    a, b = (Calibration.of(value, truth) for value, truth in zip(values, truths, strict=True))
    whole = Calibration.of(*(np.concatenate([array.ravel() for array in arrays]) for arrays in (values, truths)))
    assert (a + b).expected_calibration_error == pytest.approx(whole.expected_calibration_error)
    assert (a + b).brier == pytest.approx(whole.brier)


@pytest.mark.parametrize(
    ("value", "truth", "error", "brier"),
    [
        (0.0, EMPTY, 0, 0),
        (1.0, FULL, 0, 0),
        (1.0, EMPTY, 1, 1),
        (0.5, FULL, 0.5, 0.25),
        (0.0, PIXEL, 1 / 600, 1 / 600),
    ],
)
def test_one_probability_everywhere(value, truth, error, brier):
    counts = Calibration.of(np.full(truth.shape, value, np.float32), truth)
    assert counts.expected_calibration_error == pytest.approx(error)
    assert counts.brier == pytest.approx(brier)
    assert np.isnan(counts.pore_share).sum() == BINS - 1


def test_nothing_at_all():
    nothing = Calibration.of(np.zeros((0, 4), np.float32), np.zeros((0, 4), bool))
    assert math.isnan(nothing.expected_calibration_error)
    assert math.isnan(nothing.brier)


def test_a_map_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="probabilities"):
        Calibration.of(np.zeros((3, 4)), PIXEL)
