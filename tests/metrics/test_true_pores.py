from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import label

from pipeline.measure.pores_2d.moments import ellipses
from pipeline.metrics import TruePores
from pipeline.metrics.pore_objects import SmallPores
from tests.measure.pores_2d.test_moments import sums_of
from tests.metrics.masks import EMPTY, FULL, PIXEL, blobs, disturbed


@pytest.mark.parametrize("seed", range(3))
def test_size_shape_and_share_agree_with_principal_components(seed):
    truth = blobs(seed)
    predicted = disturbed(truth, seed)
    pores = TruePores.of(predicted, truth)
    labels, count = label(truth, np.ones((3, 3)))
    assert len(pores) == count
    for k in range(count):
        mask = labels == k + 1
        assert pores.area[k] == mask.sum()
        assert pores.found[k] == pytest.approx(predicted[mask].mean())
        rows, columns = np.nonzero(mask)
        values, vectors = np.linalg.eigh(np.cov([columns, -rows], bias=True))  # x to the right, y up
        if values[0] < 1e-9:
            assert np.isnan(pores.aspect_ratio[k])
        else:
            assert pores.aspect_ratio[k] == pytest.approx(math.sqrt(values[1] / values[0]))
        if values[1] < values[0] + 1e-9:
            assert np.isnan(pores.orientation[k])
        else:
            angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
            assert abs((pores.orientation[k] - angle + 90) % 180 - 90) < 1e-6
            assert -90 < pores.orientation[k] <= 90


@pytest.mark.parametrize("seed", range(3))
def test_shapes_are_those_of_the_table_of_a_scans_pores(seed):
    truth = np.kron(blobs(seed), np.ones((seed + 1, seed + 1), bool)) > 0
    pores = TruePores.of(truth, truth)
    labels, count = label(truth, np.ones((3, 3)))
    each = [np.nonzero(labels == k + 1) for k in range(count)]
    ellipse = ellipses(np.concatenate([sums_of(*pixels) for pixels in each]))
    ratio = np.divide(ellipse.major, ellipse.minor, out=np.full(count, np.nan), where=ellipse.minor > 0)
    np.testing.assert_allclose(pores.aspect_ratio, ratio, rtol=1e-12)
    np.testing.assert_allclose(pores.orientation, ellipse.orientation, atol=1e-9)
    assert np.isnan(pores.orientation).any()


@pytest.mark.parametrize(
    ("mask", "degrees", "ratio"),
    [
        (np.ones((1, 9)), 0, np.nan),
        (np.ones((9, 1)), 90, np.nan),
        (np.eye(9), -45, np.nan),  # down to the right
        (np.eye(9)[::-1], 45, np.nan),
        (np.ones((2, 8)), 0, math.sqrt(63 / 3)),
        (np.ones((1, 1)), np.nan, np.nan),
        (np.ones((4, 4)), np.nan, 1),
    ],
)
def test_directions(mask, degrees, ratio):
    pores = TruePores.of(np.zeros((15, 15)), np.pad(mask, ((3, 12 - len(mask)), (3, 12 - len(mask[0])))))
    assert pores.orientation == pytest.approx(degrees, nan_ok=True)
    assert pores.aspect_ratio == pytest.approx(ratio, nan_ok=True)


def test_masks_with_little_in_them():
    assert len(TruePores.of(FULL, EMPTY)) == 0
    one = TruePores.of(PIXEL, PIXEL)
    assert (one.area, one.found) == (1, 1)
    for missed in (EMPTY, PIXEL == 0):  # nothing found, or all but the pore: it has its row, and nothing of it is found
        pores = TruePores.of(missed, PIXEL)
        assert (pores.area.tolist(), pores.found.tolist()) == ([1], [0])
    whole = TruePores.of(PIXEL, FULL)
    assert (whole.area, whole.found) == (600, 1 / 600)
    assert whole.aspect_ratio == pytest.approx(math.sqrt((30**2 - 1) / (20**2 - 1)))


def test_small_pores_are_hit_where_half_of_them_is_found():
    truth, predicted = np.zeros((20, 30)), np.zeros((20, 30))
    truth[2, 2:6] = predicted[2, 2:4] = 1  # half of 4
    truth[6, 2:7] = predicted[6, 2:4] = 1  # less than half of 5
    truth[10:16, 2:8] = predicted[10:16, 2:8] = 1  # 36 are not small
    pores = TruePores.of(predicted, truth)
    small = SmallPores.among(pores, 25)
    assert small == SmallPores(total=2, hit=1)
    assert (small + SmallPores.among(pores, 36)).recall == pytest.approx((1 + 2) / (2 + 3))
    assert math.isnan(SmallPores.among(TruePores.of(FULL, EMPTY), 25).recall)


def test_masks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="equal shape"):
        TruePores.of(PIXEL, PIXEL[:, :5])
