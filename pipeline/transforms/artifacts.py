"""Artefacts of scanning electron microscopy, as functions of arrays.

Every function takes a float32 image of shape ``(H, W)`` and returns a new one; none clips. Strengths are in
the unit of the image's intensities: grey levels of an image in 0..1, standard deviations of a normalised one.
Rows are the fast scan direction: the beam runs from left to right, then starts the next row.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter
from scipy.signal import lfilter

Rng: TypeAlias = np.random.Generator | np.random.RandomState

SHADING_TERMS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))
"""Degrees in (row, column) of the Legendre products that make a shading field."""


def shading_field(shape: tuple[int, int], coefficients: np.ndarray) -> np.ndarray:
    """Smooth illumination field: a second-order polynomial of the position.

    Args:
        shape: ``(H, W)`` in pixels.
        coefficients: one weight for each of `SHADING_TERMS`; only their ratios matter.

    Returns:
        float32 ``(H, W)``, zero mean, largest absolute value 1 (all zero where the weights give no field).
    """
    y, x = (np.linspace(-1, 1, size, dtype=np.float32) for size in shape)
    legendre_y, legendre_x = ((np.ones_like(t), t, 1.5 * t * t - 0.5) for t in (y, x))
    # The field has rank 3: summing over the columns' degrees first leaves three outer products.
    by_row = np.zeros((3, shape[0]), np.float32)
    for (degree_y, degree_x), weight in zip(SHADING_TERMS, coefficients, strict=True):
        by_row[degree_x] += np.float32(weight) * legendre_y[degree_y]
    field = by_row.T @ np.stack(legendre_x)
    field -= field.mean()
    peak = np.abs(field).max()
    return field / peak if peak > 0 else field


def add_shading(image: np.ndarray, strength: float, coefficients: np.ndarray) -> np.ndarray:
    """Add an illumination field, as an off-centre detector or a tilted sample gives.

    Args:
        image: float32 ``(H, W)``.
        strength: largest change, up or down, in intensity units.
        coefficients: the field's shape, see `shading_field`.
    """
    return image + np.float32(strength) * shading_field(image.shape, coefficients)


def add_curtaining(
    image: np.ndarray, strength: float, rng: Rng, width: float = 1.5, angle_deg: float = 0.0
) -> np.ndarray:
    """Add the stripes that an ion beam mills below hard phases and pores ("curtains").

    The stripes run down the columns. Their profile is correlated over `width` and heavy-tailed (a few strong
    stripes among many faint ones), and changes slowly along the stripe, because a curtain begins and fades
    somewhere.

    Args:
        image: float32 ``(H, W)``.
        strength: standard deviation of the stripe pattern, in intensity units.
        rng: source of the pattern.
        width: standard deviation of a stripe across its length, pixels.
        angle_deg: tilt of the stripes against the columns, degrees.
    """
    height, width_px = image.shape
    shift = np.tan(np.deg2rad(angle_deg)) * np.arange(height)
    shift -= shift.min()
    whole = shift.astype(np.intp)
    profiles = rng.standard_normal((2, width_px + int(whole.max()) + 2)) ** 3
    profiles = gaussian_filter1d(profiles, width, axis=1)
    profiles -= profiles.mean(axis=1, keepdims=True)
    profiles /= profiles.std(axis=1, keepdims=True) + 1e-6
    profiles = profiles.astype(np.float32)

    phase = rng.uniform(0, 2 * np.pi) + rng.uniform(1, 4) * np.linspace(0, 1, height)
    fraction = (shift - whole).astype(np.float32)[:, None]
    out = image.copy()
    for profile, weight in zip(profiles, (np.cos(phase), np.sin(phase)), strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(profile, width_px)
        weight = (strength * weight).astype(np.float32)[:, None]
        out += weight * (1 - fraction) * windows[whole]
        out += weight * fraction * windows[whole + 1]
    return out


def dark_phase(image: np.ndarray) -> np.ndarray:
    """How far each pixel lies below the image's mean, as a soft mask of what may be pores.

    Args:
        image: ``(H, W)``.

    Returns:
        float32 ``(H, W)``: from 0 at one standard deviation below the mean to 1 at two.
    """
    mean, std = float(image.mean()), float(image.std()) + 1e-6
    return np.clip((mean - image) / std - 1, 0, 1).astype(np.float32)


def add_charging(
    image: np.ndarray, source: np.ndarray, strength: float, rng: Rng, halo: int = 5, length: float = 15.0
) -> np.ndarray:
    """Add the glow of charge at pore walls: a halo round them, and a streak after them in each row.

    Only some places charge: a coarse random field gates the sources.

    Args:
        image: float32 ``(H, W)``.
        source: ``(H, W)`` in 0..1, what charges (pores, see `dark_phase`; bright particles).
        strength: brightness of the strongest glow, in intensity units.
        rng: chooses the places.
        halo: width of the halo, pixels.
        length: decay length of the streak along the row, pixels.
    """
    height, width = image.shape
    gate = _coarse_field((height, width), rng, cell=64)
    # Twice a box is close to a Gaussian, at a third of its price.
    glow = uniform_filter(uniform_filter(source.astype(np.float32), halo), halo)
    glow *= 1 - source
    glow *= gate
    decay = np.float32(np.exp(-1 / length))
    streak = lfilter(np.array([1 - decay], np.float32), np.array([1, -decay], np.float32), glow, axis=1)
    # The beam flies back between rows, so that a streak is strong in one row and weak in the next.
    streak *= rng.uniform(0.3, 1.7, size=(height, 1)).astype(np.float32)
    streak *= 1 - source
    glow += streak
    peak = glow.max()
    return image + np.float32(strength / peak) * glow if peak > 1e-6 else image.copy()


def add_shot_noise(image: np.ndarray, shot: float, read: float, rng: Rng, black: float, white: float) -> np.ndarray:
    """Add Poisson-Gaussian noise: its variance grows linearly with the signal.

    The normal approximation of Foi et al., IEEE Trans. Image Process. 17 (2008) 1737,
    ``variance = read**2 + shot**2 * (image - black) / (white - black)``.

    Args:
        image: float32 ``(H, W)``.
        shot: standard deviation of the counting noise at intensity `white`, in intensity units.
        read: standard deviation of the noise that does not depend on the signal, in intensity units.
        rng: source of the noise.
        black: intensity at which no electron arrives.
        white: intensity for which `shot` is given.
    """
    sigma = np.maximum(image - np.float32(black), 0)
    sigma *= np.float32(shot**2 / (white - black))
    sigma += np.float32(read**2)
    np.sqrt(sigma, out=sigma)
    if isinstance(rng, np.random.Generator):
        sigma *= rng.standard_normal(image.shape, dtype=np.float32)
    else:
        sigma *= rng.standard_normal(image.shape).astype(np.float32)
    return image + sigma


def jitter_lines(image: np.ndarray, amplitude: float, rng: Rng) -> np.ndarray:
    """Shift each row by a small random distance, as vibration and stray fields do.

    Args:
        image: float32 ``(H, W)``.
        amplitude: standard deviation of the shift, pixels; shifts are cut at three of them.
        rng: source of the shifts.
    """
    shift = np.clip(rng.standard_normal(image.shape[0]), -3, 3) * amplitude
    whole = np.floor(shift).astype(np.intp)
    fraction = (shift - whole).astype(np.float32)[:, None]
    columns = np.arange(image.shape[1])
    left = np.clip(columns + whole[:, None], 0, image.shape[1] - 1)
    right = np.minimum(left + 1, image.shape[1] - 1)
    return np.take_along_axis(image, left, 1) * (1 - fraction) + np.take_along_axis(image, right, 1) * fraction


def _coarse_field(shape: tuple[int, int], rng: Rng, cell: int) -> np.ndarray:
    """Random field in 0..1 with a value for each `cell` pixels, most of it near 0, interpolated linearly."""
    ramps = []
    knots = []
    for size in shape:
        count = size // cell + 2
        position = np.linspace(0, count - 1, size, dtype=np.float32)
        ramps.append(np.maximum(0, 1 - np.abs(position[:, None] - np.arange(count, dtype=np.float32))))
        knots.append(count)
    return ramps[0] @ (rng.uniform(0, 1, size=knots).astype(np.float32) ** 3) @ ramps[1].T
