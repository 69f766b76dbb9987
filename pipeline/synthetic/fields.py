"""Random fields and axial angles: the raw material of scenes."""

from __future__ import annotations

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
