"""One synthetic SEM image: the scene, the detector, the info bar, with its label and true porosity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from pipeline.errors import UserError
from pipeline.synthetic.grains import ORGANIC, PYRITE, Solid, make_solid
from pipeline.synthetic.pores import Pores, make_pores
from pipeline.synthetic.scene import SceneSettings
from pipeline.synthetic.shapes import random_field
from pipeline.transforms import artifacts

MIN_SIDE = 64
#: what `SyntheticSample.phases` tells apart: its value k is the k-th of them, 0 none
PHASES = ("pore", "organic matter", "pyrite")


def info_bar_height(height: int) -> int:
    """Height of the strip under an image of `height` rows in total, pixels."""
    return min(max(12, round(0.07 * height)), 72)


def draw_info_bar(height: int, width: int, pixel_size_nm: float) -> np.ndarray:
    """Draw the strip.

    Args:
        height: of the strip, pixels.
        width: of the image, pixels.
        pixel_size_nm: pixel size, nanometres.

    Returns:
        uint8 ``(height, width)``: white on black.
    """
    length_nm = _round_length(0.22 * width * pixel_size_nm)
    length = max(1, round(length_nm / pixel_size_nm))
    label = f"{length_nm / 1000:g} um" if length_nm >= 1000 else f"{length_nm:g} nm"
    strip = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(strip)
    text_height = max(5, round(0.42 * height))
    right = width - max(2, round(0.02 * width))
    bar_top = round(0.72 * height)
    draw.rectangle([right - length, bar_top, right, bar_top + max(1, height // 14)], fill=255)
    caption = _text(label, text_height)
    strip.paste(caption, (right - length // 2 - caption.width // 2, round(0.12 * height)))
    field_um = width * pixel_size_nm / 1000
    facts = _text(f"HV 5.00 kV   WD 4.1 mm   HFW {field_um:.3g} um   ETD", text_height)
    room = right - max(length, caption.width) - 4
    if facts.width > room:
        facts = facts.crop((0, 0, max(room, 1), facts.height))
    strip.paste(facts, (max(2, round(0.02 * width)), round(0.3 * height)))
    draw.line([0, 0, width, 0], fill=160)
    return np.asarray(strip).copy()


def _text(text: str, height: int) -> Image.Image:
    """Render `text` in Pillow's built-in font, scaled to `height` pixels."""
    font = ImageFont.load_default()
    left, top, right, bottom = (int(np.ceil(edge)) for edge in font.getbbox(text))
    image = Image.new("L", (right - left + 2, bottom - top + 2), 0)
    ImageDraw.Draw(image).text((1 - left, 1 - top), text, fill=255, font=font)
    return image.resize((max(1, round(image.width * height / image.height)), height), Image.Resampling.BICUBIC)


def _round_length(length_nm: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is not above `length_nm`."""
    decade = 10.0 ** np.floor(np.log10(length_nm))
    return float(decade * max(step for step in (1, 2, 5) if step * decade <= length_nm * (1 + 1e-9)))


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


@dataclass(frozen=True)
class SyntheticSample:
    """A synthetic SEM image and the truth about it.

    Attributes:
        image: uint8 ``(H, W)``.
        label: uint8 ``(H, W)``, 1 where there is pore.
        phases: uint8 ``(H, W)``, which of `PHASES` a pixel is, from 1; 0 is none of them.
        porosity: pore area over imaged area (the info bar is no part of it), counted on `label`.
        settings: what the image was made with.
        bar_rows: height of the info bar, pixels; 0 without one.
    """

    image: np.ndarray
    label: np.ndarray
    phases: np.ndarray
    porosity: float
    settings: SceneSettings
    bar_rows: int


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
    phases = np.select([label > 0, solid.phase == ORGANIC, solid.phase == PYRITE], [1, 2, 3]).astype(np.uint8)
    porosity = float(label.mean())
    if bar:
        image = np.vstack([image, draw_info_bar(bar, width, settings.pixel_size_nm)])
        label, phases = (np.pad(one, ((0, bar), (0, 0))) for one in (label, phases))
    return SyntheticSample(image, label, phases, porosity, settings, bar)
