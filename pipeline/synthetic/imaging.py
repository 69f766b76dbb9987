"""The detector: from the scene's geometry to an 8-bit SEM image."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from pipeline.synthetic.fields import random_field
from pipeline.synthetic.grains import PYRITE, Solid
from pipeline.synthetic.pores import Pores
from pipeline.synthetic.settings import SceneSettings
from pipeline.transforms import artifacts


def take_image(solid: Solid, pores: Pores, rng: np.random.Generator, settings: SceneSettings) -> np.ndarray:
    """Image a scene: topography, beam, charging, gain, shading, stripes and noise, in the order they arise.

    Returns:
        uint8 ``(H, W)``.
    """
    image = _topography(solid, pores, rng)
    image = gaussian_filter(image, _vary(settings.blur, rng))
    source = np.maximum(pores.label, solid.phase == PYRITE).astype(np.float32)
    image = artifacts.add_charging(
        image, source, _vary(settings.charging, rng), rng, halo=int(rng.integers(3, 8)), length=rng.uniform(5, 25)
    )
    image = artifacts.jitter_lines(image, _vary(settings.jitter, rng), rng)
    # Brightness and contrast knobs, set by the operator for each image.
    middle = float(np.median(image))
    image = rng.uniform(0.42, 0.66) + rng.uniform(0.75, 1.2) * (image - middle)
    coefficients = rng.normal(size=len(artifacts.SHADING_TERMS))
    image = artifacts.add_shading(image, _vary(settings.shading, rng), coefficients)
    image = artifacts.add_curtaining(
        image, _vary(settings.curtaining, rng), rng, width=rng.uniform(0.7, 2.5), angle_deg=rng.uniform(-3, 3)
    )
    noise = _vary(settings.noise, rng)
    image = artifacts.add_shot_noise(image, noise, 0.25 * noise, rng, black=0.0, white=1.0)
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8)


def _topography(solid: Solid, pores: Pores, rng: np.random.Generator) -> np.ndarray:
    """Grey levels of solid and pores: edges glow, walls shade off into the depth, floors show through."""
    shape = solid.level.shape
    label = pores.label.astype(np.float32)
    near = gaussian_filter(label, 1.5)
    # Secondary electrons escape more easily at an edge, most of all at the one that faces the detector.
    dy, dx = np.gradient(near)
    facing = rng.uniform(0, 2 * np.pi)
    tilt = np.sin(facing) * dy + np.cos(facing) * dx
    edge = rng.uniform(0.1, 0.5) * near + rng.uniform(0.2, 0.8) * np.maximum(tilt, 0)
    edge *= 0.6 + 0.4 * np.clip(random_field(shape, rng, 10.0), -1, 1)
    out = solid.level + edge

    # The signal falls with the distance from the wall; wide pores let the rough floor be seen.
    inside = gaussian_filter(label, 2.5) * label
    floor = pores.floor + 0.05 * random_field(shape, rng, 5.0) - 0.5 * np.minimum(tilt, 0)
    depth = np.clip(1.5 * inside + 0.1, 0, 1)
    dark = floor + (1 - depth) * 0.45 * (out - floor)
    return np.where(pores.label, dark, out).astype(np.float32)


def _vary(strength: float, rng: np.random.Generator) -> float:
    """Vary a strength from image to image by half of it, either way."""
    return strength * rng.uniform(0.5, 1.5)
