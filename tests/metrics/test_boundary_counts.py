from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from monai.metrics import compute_surface_dice
from scipy.ndimage import convolve
from scipy.spatial.distance import cdist

from pipeline.metrics.boundary_counts import BoundaryCounts
from tests.metrics.masks import EMPTY, FULL, PIXEL, blobs, disturbed, single


def edges(mask: np.ndarray) -> np.ndarray:
    """Pore pixels with fewer than four pores at their sides; outside of the image is rock."""
    sides = convolve(mask.astype(int), [[0, 1, 0], [1, 0, 1], [0, 1, 0]], mode="constant")
    return np.argwhere(mask & (sides < 4))


@pytest.mark.parametrize("seed", range(4))
def test_both_scores_agree_with_monai_and_with_all_distances(seed):
    truth = blobs(seed)
    predicted = disturbed(truth, seed)
    counts = BoundaryCounts.of(predicted, truth, (1.0, 2.0))
    distances = cdist(edges(predicted), edges(truth))
    for tolerance, count in zip((1.0, 2.0), counts, strict=True):
        batch = [torch.from_numpy(mask)[None, None].float() for mask in (predicted, truth)]
        surface_dice = compute_surface_dice(*batch, [tolerance], include_background=True).item()
        assert count.surface_dice == pytest.approx(surface_dice, abs=1e-6)
        near = distances.min(1) <= tolerance, distances.min(0) <= tolerance
        assert count == BoundaryCounts(near[0].size, near[0].sum(), near[1].size, near[1].sum())
        precision, recall = near[0].mean(), near[1].mean()
        assert count.boundary_f1 == pytest.approx(2 / (1 / precision + 1 / recall))
    assert 0.2 < counts[0].boundary_f1 < counts[1].boundary_f1 < 1


@pytest.mark.parametrize(
    ("predicted", "truth", "score"),
    [
        (EMPTY, EMPTY, 1),
        (FULL, FULL, 1),
        (PIXEL, PIXEL, 1),
        (PIXEL, single(at=(8, 12)), 1),  # within the tolerance
        (PIXEL, single(at=(9, 12)), 0),  # 1.41 px away
        (EMPTY, PIXEL, 0),
        (PIXEL, EMPTY, 0),
        (EMPTY, FULL, 0),
        (PIXEL, FULL, 0),
    ],
)
def test_masks_with_little_in_them(predicted, truth, score):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (count,) = BoundaryCounts.of(predicted, truth, (1.0,))
    assert (count.surface_dice, count.boundary_f1) == (score, score)


def test_the_edge_of_a_full_mask_is_the_frame_of_the_image():
    (count,) = BoundaryCounts.of(FULL, FULL, (1.0,))
    assert count.true == 2 * 20 + 2 * 30 - 4


def test_counts_pool():
    pairs = [(disturbed(blobs(seed), seed), blobs(seed)) for seed in range(2)]
    a, b = (BoundaryCounts.of(*pair, (1.0,))[0] for pair in pairs)
    gap = np.zeros((60, 10), bool)  # wider than any pore's edge is far from the other's
    ((together),) = BoundaryCounts.of(
        *(np.hstack([first, gap, second]) for first, second in zip(*pairs, strict=True)), (1.0,)
    )
    assert a + b == together


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="equal shape"):
        BoundaryCounts.of(PIXEL, PIXEL[:, :5], (1.0,))
