from __future__ import annotations

import numpy as np

from pipeline.synthetic.grains import CLAY, Solid
from pipeline.synthetic.pores import Pores
from pipeline.synthetic.sample import take_image
from pipeline.synthetic.scene import SceneSettings

CLEAN = {"blur": 0.8, "noise": 0.0, "shading": 0.0, "curtaining": 0.0, "charging": 0.0, "jitter": 0.0}


def disc_scene() -> tuple[Solid, Pores]:
    """One round pore in featureless clay."""
    shape = (96, 96)
    y, x = np.ogrid[:96, :96]
    label = np.hypot(y - 48, x - 48) < 12
    solid = Solid(np.full(shape, CLAY, np.uint8), np.full(shape, 0.5, np.float32), np.full(shape, 96, np.float32))
    return solid, Pores(label, np.where(label, 0.1, 1).astype(np.float32))


def test_a_pore_is_dark_inside_and_its_rim_glows():
    solid, pores = disc_scene()
    y, x = np.ogrid[:96, :96]
    distance = np.hypot(y - 48, x - 48)
    for seed in range(5):
        image = take_image(solid, pores, np.random.default_rng(seed), SceneSettings(**CLEAN)).astype(float)
        far = image[distance > 30].mean()
        assert image[distance < 6].mean() < 0.7 * far
        # The side that faces the detector glows, the other one may not.
        assert image[(distance > 13) & (distance < 17)].max() > far + 5
        # Darkness grows inwards.
        assert image[distance < 6].mean() < image[(distance > 9) & (distance < 12)].mean()


def test_noise_is_stronger_where_the_signal_is():
    solid, pores = disc_scene()
    settings = SceneSettings(**(CLEAN | {"noise": 0.08}))
    pictures = np.stack([take_image(solid, pores, np.random.default_rng(3), settings) for _ in range(2)]).astype(float)
    assert np.array_equal(pictures[0], pictures[1])
    clean = take_image(solid, pores, np.random.default_rng(3), SceneSettings(**CLEAN)).astype(float)
    residue = pictures[0] - clean
    y, x = np.ogrid[:96, :96]
    distance = np.hypot(y - 48, x - 48)
    assert residue[distance > 30].std() > 1.3 * residue[distance < 6].std()
