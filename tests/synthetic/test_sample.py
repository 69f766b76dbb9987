from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.filters import threshold_otsu
from skimage.measure import label as connected_components
from skimage.measure import regionprops

from pipeline.errors import UserError
from pipeline.synthetic import SceneSettings, generate
from pipeline.synthetic.sample import info_bar_height


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    one, same, other = generate((96, 128), 4), generate((96, 128), 4), generate((96, 128), 5)
    assert one.image.tobytes() == same.image.tobytes()
    assert one.label.tobytes() == same.label.tobytes()
    assert not np.array_equal(one.label, other.label)


@pytest.mark.parametrize("porosity", [0.0, 0.01, 0.1, 0.4])
@pytest.mark.parametrize("shape", [(64, 64), (150, 211)])
def test_porosity_is_reached_to_the_pixel(porosity, shape):
    sample = generate(shape, 1, SceneSettings(porosity=porosity))
    assert sample.image.shape == sample.label.shape == shape
    assert sample.image.dtype == sample.label.dtype == np.uint8
    assert set(np.unique(sample.label)) <= {0, 1}
    assert sample.porosity == sample.label.mean()
    assert abs(sample.label.sum() - porosity * sample.label.size) <= 0.5


def test_pores_are_reached_where_some_kinds_have_no_place():
    for settings in (
        SceneSettings(porosity=0.4, elongated_fraction=0.0, grain_fraction=0.0),
        SceneSettings(porosity=0.4, elongated_fraction=0.0, grain_fraction=0.9, organic_fraction=0.0),
    ):
        assert generate((96, 96), 0, settings).porosity == pytest.approx(0.4, abs=1e-4)


def test_artefacts_change_the_image_and_leave_the_label_alone():
    settings = SceneSettings()
    sample = generate((96, 96), 7, settings)
    for name in ("blur", "noise", "shading", "curtaining", "charging", "jitter"):
        without = generate((96, 96), 7, replace(settings, **{name: 0.0}))
        assert np.array_equal(without.label, sample.label)
        assert not np.array_equal(without.image, sample.image), name


@pytest.mark.parametrize("orientation", [0.0, 60.0, 120.0])
def test_pores_follow_orientation_and_anisotropy(orientation):
    def resultant(anisotropy: float) -> complex:
        settings = SceneSettings(
            porosity=0.06, anisotropy=anisotropy, orientation_deg=orientation, elongated_fraction=1.0
        )
        regions = regionprops(connected_components(generate((320, 320), 2, settings).label))
        thin = [r for r in regions if r.area > 20 and r.axis_major_length > 2.5 * r.axis_minor_length]
        return complex(np.mean([np.exp(2j * (r.orientation + np.pi / 2)) for r in thin]))

    strong, none = resultant(0.95), resultant(0.0)
    error = (np.rad2deg(np.angle(strong)) / 2 - orientation + 90) % 180 - 90
    assert abs(error) < 10
    assert abs(strong) > 0.75
    assert abs(none) < 0.35


def test_info_bar_holds_no_pore_and_does_not_count():
    settings = SceneSettings(info_bar=True, porosity=0.2)
    sample = generate((300, 260), 3, settings)
    bar = info_bar_height(300)
    assert sample.image.shape == (300, 260)
    assert sample.label[-bar:].sum() == 0
    assert sample.porosity == sample.label[:-bar].mean()
    assert sample.porosity == pytest.approx(0.2, abs=1e-4)
    strip = sample.image[-bar:]
    assert np.median(strip) == 0
    assert strip.max() == 255


def test_the_images_are_hard_for_a_threshold_and_solid_enough_to_learn_from():
    scores, contrasts = [], []
    for seed in range(12):
        sample = generate((192, 192), seed)
        pore = sample.label > 0
        found = sample.image <= threshold_otsu(sample.image)
        scores.append(2 * (found & pore).sum() / (found.sum() + pore.sum()))
        contrasts.append((sample.image[~pore].mean() - sample.image[pore].mean()) / sample.image.std())
    assert 0.4 < np.mean(scores) < 0.75
    assert min(contrasts) > 1


def test_images_differ_in_brightness():
    means = [generate((96, 96), seed).image.mean() for seed in range(10)]
    assert np.std(means) > 8
    assert 60 < min(means) < max(means) < 200


def test_bad_size_and_seed_are_told():
    with pytest.raises(UserError, match="at least 64 pixels"):
        generate((63, 200), 0)
    with pytest.raises(UserError, match="seed must not be negative"):
        generate((64, 64), -1)
