from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import label

from pipeline.metrics.pore_objects import PoreObjects
from tests.metrics.masks import EMPTY, FULL, PIXEL, blobs, disturbed


@pytest.mark.parametrize("seed", range(4))
def test_counts_agree_with_a_loop_over_scipys_components(seed):
    truth = blobs(seed)
    predicted = disturbed(truth, seed) if seed % 2 else blobs(seed + 50)
    components = []
    for mask in (predicted, truth):
        labels, count = label(mask, np.ones((3, 3)))
        components.append([labels == k for k in range(1, count + 1)])
    ours, theirs = components
    touching = [[bool((a & b).any()) for b in theirs] for a in ours]
    per_ours, per_theirs = [sum(row) for row in touching], [sum(column) for column in zip(*touching, strict=True)]
    assert PoreObjects.of(predicted, truth) == PoreObjects(
        predicted=len(ours),
        true=len(theirs),
        broken=sum(n > 1 for n in per_theirs),
        merged=sum(n > 1 for n in per_ours),
        missed=per_theirs.count(0),
        spurious=per_ours.count(0),
    )


def test_a_pore_cut_in_three_and_two_pores_in_one():
    truth = np.zeros((12, 40), bool)
    truth[2:5, 2:38] = True
    truth[8:10, 2:10] = truth[8:10, 14:20] = True
    predicted = truth.copy()
    predicted[:6, [12, 24]] = False
    predicted[8:10, 10:14] = True
    counts = PoreObjects.of(predicted, truth)
    assert counts == PoreObjects(predicted=4, true=3, broken=1, merged=1)
    assert counts.betti0_error == 1
    # pooled, too many here and too few there cancel, as in the number of pores of the whole
    assert (counts + PoreObjects.of(truth, predicted)).betti0_error == 0


def test_corners_connect():
    assert PoreObjects.of(np.eye(5, dtype=bool), np.eye(5, dtype=bool)) == PoreObjects(predicted=1, true=1)


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        (EMPTY, EMPTY, PoreObjects()),
        (FULL, FULL, PoreObjects(1, 1)),
        (PIXEL, PIXEL, PoreObjects(1, 1)),
        (EMPTY, PIXEL, PoreObjects(0, 1, missed=1)),
        (PIXEL, EMPTY, PoreObjects(1, 0, spurious=1)),
        (FULL, PIXEL, PoreObjects(1, 1)),
    ],
)
def test_masks_with_little_in_them(predicted, truth, expected):
    assert PoreObjects.of(predicted, truth) == expected


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="equal shape"):
        PoreObjects.of(PIXEL, PIXEL[:, :5])
