from __future__ import annotations

import numpy as np
import torch

from pipeline.foreground.intensity import Intensity
from pipeline.transforms import NormaliseByIntensityd


def test_tiles_of_a_micrograph_keep_their_grey_levels_relative_to_it():
    rng = np.random.default_rng(0)
    whole = rng.normal(120, 30, (1, 64, 64))
    whole[:, :, 32:] += 40  # the right half is bright grain
    intensity = Intensity.of(whole)
    expected = (whole - whole.mean()) / whole.std()
    normalise = NormaliseByIntensityd("image")
    for half in (np.s_[:, :, :32], np.s_[:, :, 32:]):
        out = normalise({"image": torch.from_numpy(whole[half]), "intensity": intensity, "name": "a"})
        torch.testing.assert_close(out["image"].double(), torch.from_numpy(expected[half]), rtol=1e-4, atol=1e-4)
        assert set(out) == {"image", "name"}


def test_an_image_of_one_value_becomes_zero():
    image = torch.full((1, 4, 4), 7.0)
    out = NormaliseByIntensityd("image")({"image": image, "intensity": Intensity(16, 7.0, 0.0)})
    assert not out["image"].any()


def test_tiles_of_another_brightness_become_alike():
    rng = np.random.default_rng(0)
    tiles = [rng.normal(level, 8, (1, 200, 200)) for level in (100, 130)]
    intensity = Intensity.pooled(map(Intensity.of, tiles))
    flat = NormaliseByIntensityd("image", flatten=True)
    for tile in tiles:
        image = torch.from_numpy(tile)
        out = flat({"image": image, "intensity": intensity})["image"]
        assert abs(float(out.median())) < 0.05
        assert out.shape == image.shape
        np.testing.assert_array_equal(image, tile)  # the sample's own image is not written into
