from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import label, regionprops

from pipeline.measure.pores_2d import hulls as module
from pipeline.measure.pores_2d.hulls import Feret, feret, hull_pixels, hulls
from tests.measure.pores_2d.shapes import SHAPES, contour, random_mask
from tests.measure.pores_2d.test_hulls import chains_of


def pores_of(masks: list[np.ndarray]) -> list[np.ndarray]:
    return [region.image for mask in masks for region in regionprops(label(mask, connectivity=2))]


@pytest.fixture(scope="module")
def pores() -> list[np.ndarray]:
    masks = [random_mask((70, 70), 0.3, smooth, seed) for smooth in (0, 0.8, 2.0) for seed in (0, 1)]
    return pores_of([*masks, *SHAPES.values()])


def measured(pores: list[np.ndarray]) -> Feret:
    return feret(hulls(hull_pixels(hulls(chains_of(pores)))), len(pores))


def widths(points: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Distance of the two lines at each angle (rad) that hold all points between them."""
    shadows = points @ np.array([np.cos(angles), np.sin(angles)])
    return np.ptp(shadows, axis=0)


def test_the_smallest_is_the_width_across_an_edge_of_the_contours_hull(pores: list[np.ndarray]) -> None:
    smallest = measured(pores).smallest
    assert len(pores) > 300
    for pore, found in zip(pores, smallest, strict=True):
        points = contour(pore)
        normals = ConvexHull(points).equations[:, :2]
        assert found == pytest.approx(widths(points, np.arctan2(normals[:, 1], normals[:, 0])).min(), abs=1e-9)


def test_no_direction_is_narrower_or_wider(pores: list[np.ndarray]) -> None:
    angles = np.radians(np.arange(0, 180, 0.25))
    found = measured(pores)
    for i, pore in enumerate(pores[::5]):
        across = widths(contour(pore), angles)
        smallest, largest = found.smallest[5 * i], found.largest[5 * i]
        # a step away from the extreme, the width differs by the diameter times the step at most
        step = largest * np.radians(0.125)
        assert smallest - 1e-9 <= across.min() <= smallest + step + 1e-9
        assert largest - step - 1e-9 <= across.max() <= largest + 1e-9


def test_the_largest_is_the_farthest_pair_of_the_contour(pores: list[np.ndarray]) -> None:
    for pore, found in zip(pores, measured(pores).largest, strict=True):
        assert found == pytest.approx(pdist(contour(pore)).max(), rel=1e-12)


def test_pairs_in_small_portions_give_the_same(pores: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = measured(pores)
    monkeypatch.setattr(module, "_PAIRS", 7)
    for ours, theirs in zip(measured(pores), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 6), (6, 1), (5, 9)])
def test_rectangles(height: int, width: int) -> None:
    found = measured([np.ones((height, width), bool)])
    long, short = max(height, width), min(height, width)
    # from the middle of an edge of one corner pixel to that of the opposite one
    assert found.largest[0] == pytest.approx(np.hypot(long, short - 1))
    # a single pixel is a diamond
    assert found.smallest[0] == pytest.approx(np.sqrt(0.5) if long == 1 else short)
