"""The raw material of scenes: random fields, axial angles, and outlines of single pores and particles."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from scipy import fft


def random_field(
    shape: tuple[int, int],
    rng: np.random.Generator,
    length: float,
    across: float | None = None,
    angle_deg: float = 0.0,
) -> np.ndarray:
    """Gaussian random field with a Gaussian correlation, stretched along one direction.

    White noise is filtered in Fourier space, so the price does not depend on the lengths.

    Args:
        shape: ``(H, W)``.
        rng: source of the noise.
        length: correlation length along `angle_deg`, pixels (the filter's standard deviation).
        across: correlation length across it; `length` when left out.
        angle_deg: direction of `length`, degrees, counter-clockwise from the x axis.

    Returns:
        float32 ``(H, W)``, zero mean, unit standard deviation.
    """
    across = length if across is None else across
    # The filter wraps round; the margin keeps one border from showing at the other.
    margin = int(3 * max(length, across)) + 1
    height, width = (fft.next_fast_len(size + min(margin, size), real=True) for size in shape)
    angle = np.deg2rad(angle_deg)
    fy = fft.fftfreq(height).astype(np.float32)[:, None]
    fx = fft.rfftfreq(width).astype(np.float32)[None, :]
    along_axis = fx * np.float32(np.cos(angle)) - fy * np.float32(np.sin(angle))
    across_axis = fx * np.float32(np.sin(angle)) + fy * np.float32(np.cos(angle))
    response = np.exp(-2 * np.pi**2 * ((length * along_axis) ** 2 + (across * across_axis) ** 2))
    noise = rng.standard_normal((height, width), dtype=np.float32)
    field = fft.irfft2(fft.rfft2(noise) * response, s=(height, width))[: shape[0], : shape[1]]
    field = field - field.mean()
    return (field / (field.std() + 1e-12)).astype(np.float32)


def axial_angles(rng: np.random.Generator, count: int, orientation_deg: float, anisotropy: float) -> np.ndarray:
    """Draw directions of axes (an axis and its reverse are the same).

    The doubled angles follow a von Mises distribution whose mean resultant length is `anisotropy`; the
    concentration comes from the piecewise approximation of Fisher, "Statistical Analysis of Circular Data"
    (1993), eq. 4.40.

    Returns:
        ``(count,)`` radians, counter-clockwise from the x axis.
    """
    if anisotropy < 0.53:
        concentration = 2 * anisotropy + anisotropy**3 + 5 * anisotropy**5 / 6
    elif anisotropy < 0.85:
        concentration = -0.4 + 1.39 * anisotropy + 0.43 / (1 - anisotropy)
    else:
        concentration = 1 / max(anisotropy**3 - 4 * anisotropy**2 + 3 * anisotropy, 1e-4)
    return rng.vonmises(2 * np.deg2rad(orientation_deg), concentration, size=count) / 2


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
