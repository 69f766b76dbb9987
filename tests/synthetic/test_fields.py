from __future__ import annotations

import numpy as np
import pytest

from pipeline.synthetic.shapes import axial_angles, random_field


def correlation(field: np.ndarray, dy: int, dx: int) -> float:
    height, width = field.shape
    one = field[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
    other = field[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
    return float(np.mean(one * other))


def test_random_field_has_the_gaussian_correlation_of_its_filter():
    field = random_field((700, 650), np.random.default_rng(0), length=6.0)
    assert field.dtype == np.float32
    assert field.shape == (700, 650)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    for shift in (3, 6, 12):
        expected = np.exp(-(shift**2) / (4 * 6.0**2))
        assert correlation(field, 0, shift) == pytest.approx(expected, abs=0.05)
        assert correlation(field, shift, 0) == pytest.approx(expected, abs=0.05)


def test_random_field_stretches_counter_clockwise():
    field = random_field((512, 512), np.random.default_rng(0), length=20.0, across=3.0, angle_deg=45)
    # Rows count downwards: 45 degrees leads up and to the right.
    assert correlation(field, -10, 10) > 0.8
    assert correlation(field, 10, 10) < 0.2


@pytest.mark.parametrize("anisotropy", [0.0, 0.3, 0.53, 0.7, 0.85, 0.95, 1.0])
def test_axial_angles_have_the_asked_resultant_length_and_direction(anisotropy):
    angles = axial_angles(np.random.default_rng(1), 40000, 30.0, anisotropy)
    resultant = np.mean(np.exp(2j * angles))
    assert abs(resultant) == pytest.approx(anisotropy, abs=0.02)
    if anisotropy:
        assert np.rad2deg(np.angle(resultant)) / 2 == pytest.approx(30, abs=2)
