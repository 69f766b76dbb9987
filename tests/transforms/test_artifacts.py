from __future__ import annotations

import numpy as np
import pytest

from pipeline.transforms import artifacts


def flat(level: float = 0.5, shape: tuple[int, int] = (192, 160)) -> np.ndarray:
    return np.full(shape, level, np.float32)


def test_shading_field_is_a_second_order_polynomial_of_zero_mean_and_unit_peak():
    field = artifacts.shading_field((61, 83), [0.3, -1.0, 0.4, 0.7, -0.2]).astype(float)
    assert abs(field.mean()) < 1e-6
    assert np.abs(field).max() == pytest.approx(1, abs=1e-6)
    y, x = np.meshgrid(np.linspace(-1, 1, 61), np.linspace(-1, 1, 83), indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1).reshape(-1, 6)
    fitted = basis @ np.linalg.lstsq(basis, field.ravel(), rcond=None)[0]
    assert np.abs(fitted - field.ravel()).max() < 1e-5


def test_shading_without_weights_changes_nothing():
    assert np.array_equal(artifacts.add_shading(flat(), 0.3, [0.0] * 5), flat())


def test_shading_on_one_pixel_is_finite():
    assert np.isfinite(artifacts.add_shading(flat(shape=(1, 1)), 0.3, [1.0] * 5)).all()


def test_curtaining_has_the_given_strength_and_runs_down_the_columns():
    stripes = np.concatenate(
        [artifacts.add_curtaining(flat(0), 0.2, np.random.default_rng(seed)) for seed in range(20)], axis=1
    )
    assert stripes.std() == pytest.approx(0.2, rel=0.1)
    along = np.abs(np.diff(stripes, axis=0)).mean()
    across = np.abs(np.diff(stripes, axis=1)).mean()
    assert along < 0.1 * across


def test_curtaining_tilts():
    angle = 20.0
    stripes = artifacts.add_curtaining(flat(0, (200, 400)), 1.0, np.random.default_rng(3), 2.0, angle)
    rows = 12
    shifts = range(-10, 11)
    match = [np.mean(np.roll(stripes[:-rows], s, axis=1)[:, 20:-20] * stripes[rows:, 20:-20]) for s in shifts]
    # A stripe that leans by the angle has moved by tan(angle) for each row.
    assert abs(shifts[int(np.argmax(match))]) == round(rows * np.tan(np.deg2rad(angle)))


def test_charging_glows_beside_its_source_and_more_after_it_than_before():
    gain_after, gain_before = 0.0, 0.0
    source = np.zeros((192, 160), np.float32)
    source[60:120, 70:90] = 1
    for seed in range(10):
        glow = artifacts.add_charging(flat(), source, 0.4, np.random.default_rng(seed), halo=5, length=15) - 0.5
        assert glow.max() == pytest.approx(0.4, abs=1e-5)
        assert glow.min() >= 0
        assert np.all(glow[source == 1] == 0)
        assert np.all(glow[:40] == 0), "rows away from the source stay dark"
        gain_after += glow[60:120, 95:130].sum()
        gain_before += glow[60:120, 30:65].sum()
    assert gain_after > 5 * gain_before


@pytest.mark.parametrize("side", [60, 240])
def test_charging_is_strong_in_some_places_and_weak_in_others(side):
    source = np.zeros((side, side), np.float32)
    source[8::16, 8::16] = 1
    for seed in range(5):
        glow = artifacts.add_charging(flat(0, source.shape), source, 1.0, np.random.default_rng(seed), halo=3, length=5)
        # left of a source there is next to no streak, only its halo
        places = glow[8:-8:16, 7:-8:16]
        assert places.min() < 0.5 * places.max()


@pytest.mark.parametrize("length", [6.0, 15.0])
def test_the_streak_of_a_charge_falls_to_a_part_in_e_over_its_length(length):
    source = np.zeros((64, 160), np.float32)
    source[:, 30:36] = 1
    glow = artifacts.add_charging(flat(0, source.shape), source, 1.0, np.random.default_rng(0), halo=5, length=length)
    tail = glow[:, 45:75]  # beyond the halo
    np.testing.assert_allclose(tail[:, 1:] / tail[:, :-1], np.exp(-1 / length), rtol=1e-3)


def test_charging_without_a_source_changes_nothing():
    image = flat()
    out = artifacts.add_charging(image, np.zeros_like(image), 0.4, np.random.default_rng(0))
    assert np.array_equal(out, image)
    assert out is not image


def test_dark_phase_marks_what_is_dark_whatever_the_units():
    image = np.random.default_rng(0).normal(0.5, 0.02, (100, 100)).astype(np.float32)
    image[40:50, 40:50] = 0.1
    mask = artifacts.dark_phase(image)
    assert mask[40:50, 40:50].min() == 1
    assert mask[:30].mean() < 0.02
    assert np.allclose(artifacts.dark_phase(255 * image - 60), mask, atol=1e-3)


@pytest.mark.parametrize("make_rng", [np.random.default_rng, np.random.RandomState])
def test_shot_noise_follows_its_variance(make_rng):
    for level in (0.0, 0.25, 1.0):
        image = flat(level, (600, 600))
        noise = artifacts.add_shot_noise(image, 0.1, 0.03, make_rng(1), black=0.0, white=1.0) - image
        assert abs(noise.mean()) < 1e-3
        assert noise.var() == pytest.approx(0.03**2 + 0.1**2 * level, rel=0.02)


def test_shot_noise_below_black_is_read_noise_only():
    image = flat(-0.5, (400, 400))
    noise = artifacts.add_shot_noise(image, 0.1, 0.03, np.random.default_rng(1), black=0.0, white=1.0) - image
    assert noise.std() == pytest.approx(0.03, rel=0.02)


def test_line_jitter_moves_rows_as_a_whole():
    ramp = np.broadcast_to(np.arange(200, dtype=np.float32), (300, 200))
    moved = (artifacts.jitter_lines(ramp, 0.5, np.random.default_rng(0)) - ramp)[:, 10:-10]
    assert np.abs(moved - moved[:, :1]).max() < 1e-4
    assert moved[:, 0].std() == pytest.approx(0.5, rel=0.15)


@pytest.mark.parametrize("offset", [-3.0, 0.0, 200.0])
def test_every_artefact_keeps_shape_and_type_and_leaves_its_input_alone(offset):
    image = np.random.default_rng(0).normal(offset, 1, (65, 97)).astype(np.float32)
    before = image.copy()
    results = [
        artifacts.add_shading(image, 0.5, [1, 0, 0, 0, 1]),
        artifacts.add_curtaining(image, 0.5, np.random.default_rng(0), 1.0, -4.0),
        artifacts.add_charging(image, artifacts.dark_phase(image), 0.5, np.random.default_rng(0)),
        artifacts.add_shot_noise(image, 0.5, 0.1, np.random.default_rng(0), offset - 3, offset),
        artifacts.jitter_lines(image, 0.5, np.random.default_rng(0)),
    ]
    for result in results:
        assert result.shape == image.shape
        assert result.dtype == np.float32
        assert not np.array_equal(result, image)
    assert np.array_equal(image, before)
