from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from pipeline.foreground.intensity import Intensity
from pipeline.foreground.shading import BLACK, CELL, Shading, cell_medians, grouped_medians

DARK, ROCK = 20.0, 120.0


def rock(shape: tuple[int, int] = (512, 640)) -> np.ndarray:
    """A scan of grey rock with 10 % dark pores."""
    rng = np.random.default_rng(0)
    pores = rng.random(tuple(-(-side // 4) for side in shape)) < 0.1
    image = np.where(np.kron(pores, np.ones((4, 4)))[: shape[0], : shape[1]] > 0, DARK, ROCK)
    return image + rng.normal(0, 3, shape)


def flattened(image: np.ndarray) -> np.ndarray:
    intensity = Intensity.of(image)
    return Shading.of(image, intensity).flatten(((image - intensity.mean) / intensity.std).astype(np.float32))


def test_rock_has_one_level_after_a_drift_of_the_gain():
    image = rock()
    drift = np.linspace(0.75, 1.25, image.shape[1])
    even, before = flattened(image), image * drift
    after = flattened(before)
    columns = [slice(i, i + 64) for i in range(64, 512, 64)]
    steps = [np.median(after[:, place]) for place in columns]
    assert np.ptp(steps) < 0.1
    assert np.ptp([np.median(before[:, place]) for place in columns]) / before.std() > 1
    # and pores stay as dark as they are without a drift, against the rock
    assert np.quantile(after, 0.02) == pytest.approx(np.quantile(even, 0.02), abs=0.4)


def test_tiles_of_another_brightness_become_alike():
    tiles = rock((256, 256)), rock((256, 256)) * 0.8
    intensity = Intensity.pooled(map(Intensity.of, tiles))
    first, second = (
        Shading.of(tile, intensity).flatten(((tile - intensity.mean) / intensity.std).astype(np.float32))
        for tile in tiles
    )
    assert np.median(first) == pytest.approx(0, abs=0.02)
    assert np.median(second) == pytest.approx(0, abs=0.02)


def test_gain_and_offset_of_the_detector_change_nothing():
    image = rock()
    np.testing.assert_allclose(flattened(image * 37 - 5000), flattened(image), atol=2e-3)


def test_a_large_pore_and_a_large_bright_grain_are_no_shading():
    image = rock((1280, 1280))
    image[256:640, 256:640] = DARK
    image[768:1152, 768:1152] = 2.5 * ROCK
    flat = flattened(image)
    assert np.median(flat[320:576, 320:576]) < -1.3
    assert np.median(flat[832:1088, 832:1088]) > 2
    assert abs(np.median(flat[:128])) < 0.1


def test_windows_have_the_values_of_the_whole():
    image = rock((700, 900)) * np.linspace(0.8, 1.2, 900)
    shading = Shading.of(image, Intensity.of(image))
    whole = shading.flatten(np.zeros(image.shape, np.float32))
    window = shading.flatten(np.zeros((130, 257), np.float32), 431, 300)
    np.testing.assert_allclose(window, whole[431:561, 300:557], atol=1e-6)


def test_levels_are_interpolated_between_the_cells_as_scipy_does_it():
    rng = np.random.default_rng(1)
    shape = (3 * CELL, 4 * CELL + 40)
    shading = Shading(rng.normal(0, 0.3, (3, 5)).astype(np.float32), shape)
    rows = np.array([63.5, 191.5, 319.5])
    columns = np.array([63.5, 191.5, 319.5, 447.5, shape[1] - 64.5])  # the last cell is moved inside
    points = np.stack(np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij"), -1)
    level = RegularGridInterpolator((rows, columns), shading.levels)(
        np.clip(points, (rows[0], columns[0]), (rows[-1], columns[-1]))
    )
    np.testing.assert_allclose(
        shading.flatten(np.ones(shape, np.float32)), (1 - level) / (1 + level / BLACK), rtol=1e-4
    )


def test_a_window_at_another_scale_has_the_levels_of_its_place():
    shading = Shading(np.linspace(-0.5, 0.5, 4, dtype=np.float32)[None], (CELL, 4 * CELL))
    whole = shading.flatten(np.zeros((CELL, 4 * CELL), np.float32))
    half = shading.flatten(np.zeros((CELL // 2, 2 * CELL), np.float32), scale=(0.5, 0.5))
    np.testing.assert_allclose(half, whole.reshape(CELL // 2, 2, 2 * CELL, 2).mean((1, 3)), atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 1), (16, 300), (127, 129), (300, 398)])
def test_cells_lie_inside_the_image(shape: tuple[int, int]):
    medians = cell_medians(np.full(shape, 7.0))
    assert medians.shape == tuple(-(-side // CELL) for side in shape)
    assert (medians == 7).all()


def test_an_image_without_rock_is_left_as_it_is():
    image = np.zeros((64, 64), np.float32)
    shading = Shading.of(image, Intensity(64**2, 100.0, 10.0))
    np.testing.assert_array_equal(shading.flatten(image.copy()), image)


def test_groups_of_cells_are_those_of_the_image_shrunk():
    small = rock((2 * CELL + 64, 3 * CELL))
    large = np.kron(small, np.ones((2, 2)))
    np.testing.assert_allclose(grouped_medians(cell_medians(large), (2, 2)), cell_medians(small), atol=1)
    holes = np.full((2, 2), np.nan, np.float32)
    assert np.isnan(grouped_medians(holes, (2, 2))).all()
    holes[0, 1] = 5
    assert grouped_medians(holes, (2, 2)) == 5
