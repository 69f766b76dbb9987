"""Images in which two phases look alike, and only their surroundings tell which is which.

Round pores of one kind lie in rock of one texture. A wide layer crosses the image; a pore in it is of the one phase,
a pore outside of the other. The layer is known by its two rims alone, which glow at the border and fade inwards: a
window that holds no rim can't tell. For tests and benchmarks of networks that see more than their window.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from pipeline.files import atomic_path, write_text

#: of the label values, in order from 1
PHASES = ("inner pore", "outer pore")
#: thickness of the layer, over the side of the image
_THICKNESS = (0.35, 0.5)
#: over which the rim fades (px), and how much brighter it is at the border (grey levels)
_FADE, _GLOW = 24.0, 70.0
_ROCK, _PORE, _NOISE = 120.0, 55.0, 12.0
#: radii of the pores (px), and pixels of the image for each of them
_RADII, _AREA = (5.0, 9.0), 2500


class LayeredSample(NamedTuple):
    """An image (H, W), uint8, and its labels (H, W), uint8: 0 rock, 1 a pore in the layer, 2 a pore outside."""

    image: np.ndarray
    label: np.ndarray


def layered(shape: tuple[int, int], seed: int = 0) -> LayeredSample:
    """Make an image; the same seed gives the same.

    Args:
        shape: height and width (px).
        seed: any number from 0.
    """
    rng = np.random.default_rng(seed)
    depth = _depth_in_layer(shape, rng)
    grey = _ROCK + _NOISE * rng.standard_normal(shape)
    grey += 6 * _unit(gaussian_filter(rng.standard_normal(shape), 4))
    grey += np.where(depth > 0, _GLOW * np.exp(-np.maximum(depth, 0) / _FADE), 0)
    pores, whole = _pores(shape, rng)
    cover = gaussian_filter(pores.astype(float), 0.8)
    grey = grey * (1 - cover) + (_PORE + 0.5 * _NOISE * rng.standard_normal(shape)) * cover
    # a pore that the border of the layer cuts belongs to where its middle lies
    inside = depth[whole[..., 0], whole[..., 1]] > 0
    label = np.where(pores, np.where(inside, 1, 2), 0).astype(np.uint8)
    return LayeredSample(np.clip(np.rint(grey), 0, 255).astype(np.uint8), label)


def _unit(field: np.ndarray) -> np.ndarray:
    return (field - field.mean()) / field.std()


def _depth_in_layer(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """How far inside of a wavy band each pixel lies (px), below 0 outside; the band crosses the image at any angle."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    angle, side = rng.uniform(0, np.pi), min(shape)
    across = (y - shape[0] / 2) * np.cos(angle) + (x - shape[1] / 2) * np.sin(angle)
    along = (x - shape[1] / 2) * np.cos(angle) - (y - shape[0] / 2) * np.sin(angle)
    half = 0.5 * side * rng.uniform(*_THICKNESS)
    middle = rng.uniform(-0.15, 0.15) * side
    waves = [0.03 * side * np.sin(along / side * rng.uniform(4, 9) + rng.uniform(0, 2 * np.pi)) for _ in range(2)]
    depth: np.ndarray = np.minimum(across - middle + half + waves[0], middle + half + waves[1] - across)
    return depth


def _pores(shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Where pores are (H, W), and for each of their pixels the middle (H, W, 2) of its pore."""
    pores, middles = np.zeros(shape, bool), np.zeros((*shape, 2), np.int64)
    for _ in range(shape[0] * shape[1] // _AREA):
        middle, radius = (int(rng.integers(shape[0])), int(rng.integers(shape[1]))), rng.uniform(*_RADII)
        reach = int(radius) + 1
        rows, columns = (slice(max(0, at - reach), at + reach + 1) for at in middle)
        y, x = np.ogrid[rows.start : min(rows.stop, shape[0]), columns.start : min(columns.stop, shape[1])]
        disc = ((y - middle[0]) ** 2 + (x - middle[1]) ** 2 <= radius**2) & ~pores[rows, columns]
        pores[rows, columns] |= disc
        middles[rows, columns][disc] = middle
    return pores, middles


def write_layered(folder: Path, count: int, shape: tuple[int, int], seed: int = 0, val: int = 2) -> None:
    """Write a data set of `count` such images, the last `val` of them for validation: images, labels, phases, split."""
    rows = []
    for number in range(count):
        name = f"layered_{number + 1:04d}"
        sample = layered(shape, int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
        for kind, pixels in (("images", sample.image), ("labels", sample.label)):
            with atomic_path(folder / kind / f"{name}.png") as partial:
                Image.fromarray(pixels).save(partial)
        rows.append(f"{name},{name},{'val' if number >= count - val else 'train'}")
    write_text(folder / "phases.csv", "\n".join(["value,phase", *(f"{i},{p}" for i, p in enumerate(PHASES, 1))]) + "\n")
    write_text(folder / "split.csv", "\n".join(["name,source,split", *rows]) + "\n")
