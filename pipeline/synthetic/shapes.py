"""Outlines of single pores and particles, drawn as small boolean patches."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

Patch: TypeAlias = np.ndarray
"""Boolean ``(2h + 1, 2w + 1)``, its middle pixel being the shape's centre."""

Window: TypeAlias = tuple[slice, slice]


def lens(rng: np.random.Generator, length: float, width: float, angle: float, roughness: float) -> Patch:
    """A thin, slightly bent, ragged lens.

    Args:
        rng: source of bend and raggedness.
        length: tip to tip, pixels.
        width: at the thickest place, pixels.
        angle: of the long axis, radians, counter-clockwise from the x axis.
        roughness: relative variation of the width along the lens.
    """
    along, across = _axes(length / 2 + width, angle)
    t = 2 * along / length
    bend = rng.normal(0, 0.11) * length
    # A high exponent gives blunt ends, a low one sharp tips.
    profile = np.maximum(1 - t * t, 0) ** rng.uniform(0.5, 1.2)
    # Long waves bend the axis, short ones roughen the walls.
    ripple = _ripple(rng, t * np.pi, roughness)
    middle = bend * (t * t - 0.3) + 0.6 * width * _ripple(rng, t * np.pi / 3, roughness)
    return np.abs(across - middle) < width / 2 * profile * (1 + ripple)


def blob(rng: np.random.Generator, radius: float, aspect: float, angle: float, roughness: float) -> Patch:
    """A rounded shape with an uneven outline.

    Args:
        rng: source of the outline.
        radius: geometric mean of the two half-axes, pixels.
        aspect: ratio of the half-axes, at least 1.
        angle: of the long axis, radians, counter-clockwise from the x axis.
        roughness: relative variation of the radius round the outline.
    """
    along, across = _axes(1.6 * radius * np.sqrt(aspect), angle)
    along, across = along / np.sqrt(aspect), across * np.sqrt(aspect)
    turn = np.arctan2(across, along)
    return np.hypot(along, across) < radius * (1 + _ripple(rng, turn, roughness))


def paste(shape: tuple[int, int], y: float, x: float, patch: Patch) -> tuple[Window, Patch]:
    """Window of an image of `shape` that `patch`, centred at (y, x), covers, and the part of the patch inside
    it."""
    top, left = int(y) - patch.shape[0] // 2, int(x) - patch.shape[1] // 2
    (y0, y1), (x0, x1) = (
        (min(max(start, 0), size), min(max(start + extent, 0), size))
        for start, extent, size in zip((top, left), patch.shape, shape, strict=True)
    )
    return (slice(y0, y1), slice(x0, x1)), patch[y0 - top : y1 - top, x0 - left : x1 - left]


def _axes(reach: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across `angle` on a square patch that reaches `reach` pixels from its centre."""
    half = int(np.ceil(reach)) + 1
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos - y * sin, x * sin + y * cos


def _ripple(rng: np.random.Generator, turn: np.ndarray, size: float) -> np.ndarray:
    """A periodic wave of harmonics 2 to 6 with random phases, of standard deviation about `size`."""
    wave = np.zeros_like(turn)
    for harmonic in range(2, 7):
        wave += rng.normal(0, 1 / harmonic**1.3) * np.cos(harmonic * turn + rng.uniform(0, 2 * np.pi))
    return 2.0 * size * wave
