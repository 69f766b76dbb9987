from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter

from pipeline.data.label_fit import CHANGING, INVERTED, REACH, SHIFTED, UNFIT, doubt_kind, fit_label
from pipeline.images import read_image, read_label
from tests.paths import SHARED

NANKAI = SHARED / "nankai"
SHAPE = (230, 260)


def rock(seed: int, shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """A noisy image with shading, and the mask of its dark pores."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.normal(size=shape), 4)
    mask = field > np.quantile(field, 0.88)
    shading = 0.4 * np.linspace(0, 100, shape[1])
    image = 140 - 60 * gaussian_filter(mask.astype(float), 1) + shading + rng.normal(0, 15, shape)
    return image, mask


def warped(mask: np.ndarray, matrix: np.ndarray, offset: tuple[float, float] = (0, 0)) -> np.ndarray:
    return affine_transform(mask.astype(np.uint8), matrix, offset, order=0) > 0


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_that_fits_raises_no_doubt(seed: int) -> None:
    fit = fit_label(*rock(seed))
    assert fit is not None
    assert fit.as_is > 0.5
    assert doubt_kind(fit) is None


def test_a_few_large_objects_with_weak_edges_are_not_taken_for_stretched() -> None:
    """Exact masks: whatever displacement suits the few blocks that see anything, suits them by chance."""
    kinds = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        field = gaussian_filter(rng.normal(size=(192, 192)), 12)
        mask = field > np.quantile(field, 0.92)
        texture = gaussian_filter(rng.normal(size=mask.shape), 3)
        image = 140 - 10 * gaussian_filter(mask.astype(float), 2) + 12 * texture / texture.std()
        fit = fit_label(image + rng.normal(0, 8, mask.shape), mask)
        assert fit is not None
        kinds.append(doubt_kind(fit))
    assert not set(kinds) & {CHANGING, SHIFTED}


@pytest.mark.parametrize(("dy", "dx"), [(3, 0), (0, -4), (-6, 8), (10, 2)])
def test_a_shift_is_measured(dy: int, dx: int) -> None:
    image, mask = rock(7)
    fit = fit_label(image, np.roll(mask, (dy, dx), (0, 1)))
    assert fit is not None
    np.testing.assert_allclose(fit.corners.mean(axis=0), (-dy, -dx), atol=0.5)
    assert doubt_kind(fit) == SHIFTED


@pytest.mark.parametrize("drift", [5.0, 10.0])
def test_a_drift_from_top_to_bottom_is_measured(drift: float) -> None:
    image, mask = rock(8)
    height = len(mask)
    fit = fit_label(image, warped(mask, np.array([[1, 0], [-drift / height, 1]])))  # x moves by 0 to `drift`
    assert fit is not None
    assert doubt_kind(fit) == CHANGING
    np.testing.assert_allclose(fit.corners[:2], 0, atol=1.5)
    np.testing.assert_allclose(fit.corners[2:], [(0, -drift)] * 2, atol=1.5)


def test_a_stretch_of_two_percent_is_measured() -> None:
    image, mask = rock(9, (400, 340))
    fit = fit_label(image, warped(mask, np.eye(2) / 1.02))
    assert fit is not None
    assert doubt_kind(fit) == CHANGING
    np.testing.assert_allclose(fit.corners, [(0, 0), (0, -6.8), (-8, 0), (-8, -6.8)], atol=1.5)


def test_an_inverted_mask_and_that_of_another_image() -> None:
    image, mask = rock(10)
    for wrong, kind in ((~mask, INVERTED), (rock(11)[1], UNFIT), (mask[::-1], UNFIT)):
        fit = fit_label(image, wrong)
        assert fit is not None
        assert doubt_kind(fit) == kind


def test_the_correlation_is_that_of_the_definition() -> None:
    image, mask = rock(12, (96, 100))
    fit = fit_label(image, mask)

    def band(a: np.ndarray) -> np.ndarray:
        result = gaussian_filter(a, 1.0, truncate=3) - gaussian_filter(a, 6.0, truncate=3)
        return result - result.mean()

    dark, pore = band(-image.astype(np.float32)), band(mask.astype(np.float32))
    dark = np.clip(dark, -3 * dark.std(), 3 * dark.std())
    assert fit is not None
    assert fit.as_is == pytest.approx((dark * pore).sum() / np.sqrt((dark**2).sum() * (pore**2).sum()), abs=1e-5)


def test_a_large_image_is_reduced_and_its_shift_is_in_its_own_pixels() -> None:
    image, mask = (np.kron(a, np.ones((6, 6))) for a in rock(13))
    fit = fit_label(image, np.roll(mask > 0, (12, 0), (0, 1)))
    assert fit is not None
    np.testing.assert_allclose(fit.corners.mean(axis=0), (-12, 0), atol=1)


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        (np.full((100, 100), 9.0), np.eye(100) > 0),
        (rock(0)[0], np.zeros(SHAPE, bool)),
        (rock(0)[0], np.ones(SHAPE, bool)),
        (rock(0)[0][:40], rock(0)[1][:40]),
    ],
)
def test_where_nothing_can_be_said(image: np.ndarray, mask: np.ndarray) -> None:
    assert fit_label(image, mask) is None


@pytest.mark.data
@pytest.mark.skipif(not NANKAI.is_dir(), reason="no ../shared/data/nankai")
def test_real_masks_and_planted_errors() -> None:
    names = [
        f"{source}_{tile}.png" for source, tile in ((10, 1), (11, 3), (11, 15), (12, 1), (13, 1), (13, 20), (14, 1))
    ]
    for name in names:
        image, mask = read_image(NANKAI / "images" / name), read_label(NANKAI / "labels" / name) == 2
        height = len(mask)
        wrong = {
            None: mask,
            SHIFTED: np.roll(mask, 4, 1),
            CHANGING: warped(mask, np.array([[1, 0], [-8 / height, 1]])),
            INVERTED: ~mask,
        }
        for kind, planted in wrong.items():
            fit = fit_label(image, planted)
            assert fit is not None
            assert doubt_kind(fit) == kind, (name, kind)
            assert fit.largest <= np.hypot(2, 2) * REACH or kind == INVERTED
