from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from skimage.morphology import convex_hull_image

from pipeline.measure.pores_2d import hulls as module
from pipeline.measure.pores_2d.hulls import Chains, hull_pixels, hulls, joined
from tests.measure.pores_2d.shapes import random_mask


def chains_of(masks: list[np.ndarray]) -> Chains:
    """Both sides of each mask, whose rows must all hold something."""
    parts = []
    for i, mask in enumerate(masks):
        rows = np.arange(len(mask))
        right = mask.shape[1] - 1 - mask[:, ::-1].argmax(1)
        for side, reach in enumerate((right, -mask.argmax(1))):
            parts.append((np.full(len(mask), 2 * i + side), rows, reach))
    return Chains(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@pytest.fixture(scope="module")
def masks() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    masks = [random_mask(tuple(random.integers(2, 60, 2)), random.uniform(0.1, 0.9), 0, i) for i in range(60)]
    masks += [np.ones((1, 1), bool), np.ones((1, 9), bool), np.ones((9, 1), bool), np.eye(12, dtype=bool)]
    return [mask[mask.any(1)] for mask in masks]


def points(chains: Chains, pore: int) -> set[tuple[int, int]]:
    """(row, column) of a pore's points."""
    right, left = (chains.chain == 2 * pore), (chains.chain == 2 * pore + 1)
    columns = np.concatenate([chains.reach[right], -chains.reach[left]])
    return set(zip(np.concatenate([chains.row[right], chains.row[left]]).tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize("rounds", [0, 1, 24])
def test_vertices_are_those_of_qhull(masks: list[np.ndarray], rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROUNDS", rounds)
    vertices = hulls(chains_of(masks))
    assert (np.diff(vertices.chain) >= 0).all()
    compared = 0
    for i, mask in enumerate(masks):
        pixels = np.argwhere(mask)
        if np.linalg.matrix_rank(pixels - pixels[0]) < 2:
            continue
        hull = ConvexHull(pixels)
        extreme = {tuple(point) for point in pixels[hull.vertices].tolist()}
        ends = {(row, column) for row, column in points(vertices, i) if row in (0, len(mask) - 1)}
        # the ends of the first and last row are kept whether the hull bends there or not
        assert extreme <= points(vertices, i) <= extreme | ends
        compared += 1
    assert compared > 50


def test_a_spike_that_takes_many_rounds() -> None:
    """Each point is seen not to be a vertex only when the one before it is gone."""
    row = np.arange(400)
    reach = -(row**2)
    reach[-1] = 1 << 20
    chains = Chains(np.zeros(400, np.int64), row, reach[::-1].copy())
    assert hulls(chains).row.tolist() == [0, 399]


def test_hull_of_hulls_is_the_hull(masks: list[np.ndarray]) -> None:
    chains = chains_of(masks)
    upper, lower = chains.take(chains.row < 11), chains.take(chains.row >= 9)
    again = hulls(joined([hulls(upper), hulls(lower)]))
    for found, expected in zip(again, hulls(chains), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_hull_pixels_are_those_of_scikit_image(masks: list[np.ndarray]) -> None:
    filled = hull_pixels(hulls(chains_of(masks)))
    for i, mask in enumerate(masks):
        expected = convex_hull_image(mask)
        ours = np.zeros_like(expected)
        right, left = filled.take(filled.chain == 2 * i), filled.take(filled.chain == 2 * i + 1)
        assert right.row.tolist() == left.row.tolist() == list(range(len(mask)))
        for row, end, start in zip(right.row, right.reach, -left.reach, strict=True):
            ours[row, start : end + 1] = True
        np.testing.assert_array_equal(ours, expected)


def test_no_pores() -> None:
    nothing = np.zeros(0, np.int64)
    assert len(hull_pixels(hulls(Chains(nothing, nothing, nothing))).row) == 0
