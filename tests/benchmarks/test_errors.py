from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage


def _image(found: np.ndarray, truth: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    probability = np.where(found, 0.9, 0.1)
    return torch.from_numpy(probability)[None], torch.from_numpy(truth.astype(np.float32))[None]


def test_every_kind_of_error_is_counted_where_it_is() -> None:
    from errors import anatomy

    truth = np.zeros((60, 60), bool)
    truth[10:20, 10:20] = True  # found, but for a column at its edge and a pixel in its middle
    truth[40:42, 40:45] = True  # missed
    found = truth.copy()
    found[10:20, 10] = found[15, 15] = False
    found[40:42, 40:45] = False
    found[50, 10:30] = True  # made up
    row = anatomy([_image(found, truth)])
    wrong = 10 + 1 + 10 + 20
    assert row["dice"] == row["own_threshold"] == pytest.approx(2 * 89 / (2 * 89 + wrong))
    assert row["near_1"] == pytest.approx(20 / wrong)  # all of the missed pore is edge
    assert row["near_2"] == pytest.approx(20 / wrong)
    assert row["missed"] == pytest.approx(10 / wrong)
    assert row["made_up"] == pytest.approx(20 / wrong)
    assert row["inside"] == pytest.approx(2 * 63 / (2 * 63 + 1 + 20))  # 8 x 8 without the pixel, and the made-up pore
    assert row["area_edges"] == pytest.approx(-(10 + 10) / 3600)  # the column and the missed pore
    assert row["area_missed"] == pytest.approx(-1 / 3600)
    assert row["area_made_up"] == pytest.approx(20 / 3600)


def test_a_threshold_for_each_image_is_no_worse_than_one_for_all() -> None:
    from errors import anatomy

    rng = np.random.default_rng(0)
    images = []
    for level in (0.3, 0.7):
        truth = ndimage.gaussian_filter(rng.standard_normal((64, 64)), 3) > 0.05
        probability = np.clip(level + 0.2 * (truth - 0.5) + 0.05 * rng.standard_normal(truth.shape), 0, 1)
        images.append((torch.from_numpy(probability)[None], torch.from_numpy(truth.astype(np.float32))[None]))
    row = anatomy(images)
    assert row["own_threshold"] > 0.9 > row["dice"]


def test_moved_edges_against_areas_of_a_square() -> None:
    from errors import moved

    truth = np.zeros((40, 40), bool)
    truth[10:30, 10:30] = True
    images = [_image(truth, truth)]
    grown, shrunk = 20 * 20 + 4 * 20, 18 * 18
    assert moved(images, ndimage.binary_dilation) == pytest.approx(2 * 400 / (400 + grown))
    assert moved(images, ndimage.binary_erosion) == pytest.approx(2 * shrunk / (400 + shrunk))


def test_the_images_border_is_no_edge() -> None:
    from errors import moved

    truth = np.zeros((40, 40), bool)
    truth[:, :10] = True
    images = [_image(truth, truth)]
    assert moved(images, ndimage.binary_dilation) == pytest.approx(2 * 10 / (10 + 11))
    assert moved(images, ndimage.binary_erosion) == pytest.approx(2 * 9 / (10 + 9))


def test_an_image_without_pores_has_no_edge() -> None:
    from errors import anatomy

    truth = np.zeros((40, 40), bool)
    truth[10:30, 10:30] = True
    empty = np.zeros_like(truth)
    found = empty.copy()
    found[3:5, 3:5] = True
    row = anatomy([_image(truth, truth), _image(found, empty)])
    assert (row["near_1"], row["near_2"], row["made_up"]) == (0, 0, 1)
