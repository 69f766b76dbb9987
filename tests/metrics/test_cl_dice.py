from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from monai.losses.cldice import soft_skel
from scipy.ndimage import gaussian_filter, label

from pipeline.metrics.cl_dice import CentrelineCounts


def canvas(*rectangles: tuple[slice, slice], shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for rectangle in rectangles:
        mask[rectangle] = True
    return mask


def cracks(seed: int, shape: tuple[int, int] = (200, 240)) -> np.ndarray:
    noise = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), (2, 8))
    return noise > np.quantile(noise, 0.85)


def test_lines_by_hand():
    # lines of one pixel's width are their own skeletons: 40 and 30 long, 20 in common
    truth, predicted = canvas(np.s_[10:11, 5:45]), canvas(np.s_[10:11, 25:55])
    counts = CentrelineCounts.of(predicted, truth)
    assert counts == CentrelineCounts(predicted=30, predicted_inside=20, true=40, true_inside=20)
    assert counts.cl_dice == pytest.approx(2 * 20 / (30 + 40))


def test_a_lost_crack_costs_its_length_and_not_its_area():
    wide, thin = np.s_[5:20, 5:55], np.s_[30:31, 5:55]
    truth = canvas(wide, thin)
    counts = CentrelineCounts.of(canvas(wide), truth)
    area_lost = canvas(thin).sum() / truth.sum()
    assert area_lost < 0.07
    # the bar's skeleton is shorter than the bar by up to its width at either end, with branches to the corners
    assert 0.4 < counts.true_inside / counts.true < 0.6
    assert counts.predicted_inside == counts.predicted


def test_a_broken_crack_is_worse_in_a_wide_prediction_than_a_shift_within_it():
    truth = canvas(np.s_[10:15, 5:55])
    shifted = CentrelineCounts.of(canvas(np.s_[11:16, 5:55]), truth)
    broken = CentrelineCounts.of(canvas(np.s_[10:15, 5:25], np.s_[10:15, 35:55]), truth)
    assert shifted.cl_dice == 1
    assert broken.cl_dice < 0.95


@pytest.mark.parametrize(
    ("predicted", "truth", "score"),
    [
        (canvas(), canvas(), 1.0),
        (canvas(), canvas(np.s_[3:9, 3:9]), 0.0),
        (canvas(np.s_[3:9, 3:9]), canvas(), 0.0),
        (canvas(np.s_[:, :]), canvas(np.s_[:, :]), 1.0),
        (canvas(np.s_[3:4, 3:4]), canvas(np.s_[3:4, 3:4]), 1.0),
        (canvas(np.s_[3:4, 3:4]), canvas(np.s_[8:9, 8:9]), 0.0),
        (canvas(np.s_[3:5, 3:5]), canvas(np.s_[3:5, 3:5]), 1.0),
    ],
    ids=["both empty", "nothing found", "nothing there", "full", "a pixel", "two pixels apart", "a 2 x 2 pore"],
)
def test_limits(predicted, truth, score):
    assert CentrelineCounts.of(predicted, truth).cl_dice == score


def test_an_image_where_nothing_was_found_counts_in_the_pool():
    nothing_found = CentrelineCounts.of(canvas(), canvas(np.s_[3:4, 3:9]))
    assert nothing_found == CentrelineCounts(true=6)
    line = canvas(np.s_[3:4, 3:9])
    assert (nothing_found + CentrelineCounts.of(line, line)).cl_dice == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_pooling_adds_up_images_side_by_side():
    pairs = [(cracks(seed), cracks(seed + 10)) for seed in range(3)]
    gap = np.zeros((200, 2), bool)  # the images must not touch, or their pores would join
    together = CentrelineCounts.of(*(np.hstack([part for pair in pairs for part in (pair[i], gap)]) for i in (0, 1)))
    assert sum((CentrelineCounts.of(*pair) for pair in pairs), CentrelineCounts()) == together


def test_every_pore_has_a_skeleton_within_it():
    for mask in (cracks(1), np.random.default_rng(0).random((200, 200)) < 0.3):
        labels, pores = label(mask, np.ones((3, 3)))
        for row in range(1, pores + 1, 7):
            counts = CentrelineCounts.of(labels == row, mask)
            assert counts.predicted == counts.predicted_inside > 0


def test_it_agrees_with_monais_soft_skeletons():
    truth = cracks(1)
    for predicted in (np.roll(truth, 2, 0), truth & (np.random.default_rng(3).random(truth.shape) < 0.9), cracks(5)):
        a, b = (torch.from_numpy(mask.astype(np.float32))[None, None] for mask in (predicted, truth))
        skeleton_a, skeleton_b = soft_skel(a, 15), soft_skel(b, 15)
        precision, sensitivity = (float((s * m).sum() / s.sum()) for s, m in ((skeleton_a, b), (skeleton_b, a)))
        soft = 2 * precision * sensitivity / (precision + sensitivity)
        assert CentrelineCounts.of(predicted, truth).cl_dice == pytest.approx(soft, abs=0.08)


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="equal shape"):
        CentrelineCounts.of(np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="H, W"):
        CentrelineCounts.of(np.zeros((1, 4, 3)), np.zeros((1, 4, 3)))


def test_a_scan_of_four_megapixels_takes_no_time_to_speak_of():
    masks = cracks(0, (2048, 2048)), cracks(1, (2048, 2048))
    started = time.process_time()
    CentrelineCounts.of(*masks)
    assert time.process_time() - started < 3  # half a second at leisure; the network takes tens of seconds
