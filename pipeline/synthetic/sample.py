"""Generate one synthetic SEM image with its label, prompt and true porosity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import UserError
from pipeline.synthetic.grains import make_solid
from pipeline.synthetic.imaging import take_image
from pipeline.synthetic.info_bar import draw_info_bar, info_bar_height
from pipeline.synthetic.pores import make_pores
from pipeline.synthetic.prompt import describe_pores
from pipeline.synthetic.settings import SceneSettings

MIN_SIDE = 64


@dataclass(frozen=True)
class SyntheticSample:
    """A synthetic SEM image and the truth about it.

    Attributes:
        image: uint8 ``(H, W)``.
        label: uint8 ``(H, W)``, 1 where there is pore.
        prompt: one sentence on the pores.
        porosity: pore area over imaged area (the info bar is no part of it), counted on `label`.
        settings: what the image was made with.
    """

    image: np.ndarray
    label: np.ndarray
    prompt: str
    porosity: float
    settings: SceneSettings


def generate(shape: tuple[int, int], seed: int, settings: SceneSettings | None = None) -> SyntheticSample:
    """Generate one sample; the same arguments give the same bytes.

    Args:
        shape: ``(H, W)`` in pixels, the info bar included.
        seed: not negative.
        settings: the defaults when left out.

    Raises:
        UserError: when a side is below `MIN_SIDE` pixels or the seed is negative.
    """
    settings = SceneSettings() if settings is None else settings
    height, width = shape
    if min(height, width) < MIN_SIDE:
        raise UserError(f"size must be at least {MIN_SIDE} pixels in height and width, got {height} x {width}")
    if seed < 0:
        raise UserError(f"seed must not be negative, got {seed}")
    bar = info_bar_height(height) if settings.info_bar else 0
    geometry_rng, imaging_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))

    solid = make_solid((height - bar, width), geometry_rng, settings)
    pores = make_pores(solid, geometry_rng, settings)
    image = take_image(solid, pores, imaging_rng, settings)
    label = pores.label.astype(np.uint8)
    prompt = describe_pores(label, settings.pixel_size_nm)
    porosity = float(label.mean())
    if bar:
        image = np.vstack([image, draw_info_bar(bar, width, settings.pixel_size_nm)])
        label = np.vstack([label, np.zeros((bar, width), np.uint8)])
    return SyntheticSample(image, label, prompt, porosity, settings)
