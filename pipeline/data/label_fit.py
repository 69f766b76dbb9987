"""Where a mask fits its image best: shifted, stretched, inverted, or made for another image.

Pores are dark, so mask and band-passed darkness correlate. Blocks of the image show where they correlate best, and a
displacement that is linear in the position is fitted to them; it counts only where it clearly raises the correlation,
also in blocks that it was not fitted to: a few large objects with weak edges leave room for a stretch that suits them
by chance. Not phase correlation, which weighs all frequencies alike, so that noise dominates.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

from pipeline.data.leaks import reduced

REACH = 16  # pixels: displacements up to that are found

_FINE, _COARSE = 1.0, 6.0  # pixels: standard deviations of the band-pass
_BLOCKS = 4  # along each side
_SMALLEST_BLOCK = 32  # pixels; smaller ones hold too little for a shift of their own
_LARGEST_SIDE = 1024  # pixels; larger images are reduced, as a displacement that matters grows with them
_ROUNDS = 8  # of the fit, in which blocks far off lose their weight
_BRIGHTEST = 3.0  # standard deviations: charging and dust must not outweigh all else

SHIFTED, CHANGING, INVERTED, UNFIT = "shifted", "shifted by changing amounts", "inverted", "unfit"
# Set on the 53 tiles of nankai (right as they are: no doubt; with planted errors: 9 of 10 found)
_LEAST_DISPLACEMENT = 2.0  # pixels: hands and segmentation programs differ by one
_LEAST_RATIO = 1.08  # of the correlations with and without the displacement
_LEAST_GAIN = 0.4  # in units of noise
_CONFIRMED = 0.5  # share of both that blocks must show which the displacement was not fitted to
_CLEAR = 4.0  # a correlation, in units of noise, that no unrelated mask reaches
_CLEARLY_NEGATIVE = 3.0
_NEGATIVE_RATIO = 1.5
_NO_FIT = 1.5


@dataclass(frozen=True)
class LabelFit:
    """How a mask lies on its image.

    Attributes:
        as_is: correlation of the phase's darkness (brightness, of a bright one) with the mask where it is, -1 to 1;
            negative where the mask is brighter (darker) than what is around it.
        displaced: the same with the mask displaced as fitted.
        confirmed: the same with each block displaced as a fit to other blocks says.
        highest: the highest correlation at any common shift.
        lowest: the lowest one.
        corners: displacement (dy, dx), pixels, that the mask needs at the image's upper left, upper right, lower
            left and lower right, (4, 2).
        noise: standard deviation of the correlation at shifts far from the strongest one.
    """

    as_is: float
    displaced: float
    confirmed: float
    highest: float
    lowest: float
    corners: np.ndarray
    noise: float

    @property
    def largest(self) -> float:
        """The largest displacement at a corner, pixels."""
        return float(np.hypot(*self.corners.T).max())

    @property
    def varying(self) -> float:
        """By how much the displacement differs between two corners at most, pixels."""
        differences = self.corners[:, None] - self.corners[None]
        return float(np.hypot(differences[..., 0], differences[..., 1]).max())


def fit_label(image: np.ndarray, mask: np.ndarray, bright: bool = False) -> LabelFit | None:
    """Compare a mask with its image.

    Args:
        image: Grey values, (H, W).
        mask: Truth values, (H, W), or shares from 0 to 1 where the truth is not known.
        bright: Whether the phase is brighter than its surroundings, and not darker.

    Returns:
        None where nothing can be said: an empty or full mask, a constant image, or one that is smaller than
        two blocks.
    """
    factor = -(-max(image.shape) // _LARGEST_SIDE)
    height, width = (n // factor for n in image.shape)
    if min(height, width) < 2 * _SMALLEST_BLOCK:
        return None
    dark = _band(reduced(image, factor) * (1 if bright else -1))
    pore = _band(reduced(mask, factor))
    spread = float(dark.std())
    if spread == 0 or not pore.any():
        return None
    dark = np.clip(dark, -_BRIGHTEST * spread, _BRIGHTEST * spread)
    blocks = _Blocks.of(dark, pore)
    scale = float(np.sqrt((dark * dark).sum() * (pore * pore).sum()))
    common = blocks.correlation.sum(axis=0)
    matrix = blocks.fitted(common)
    corners = np.array([(1.0, y, x) for y in (0, height - 1) for x in (0, width - 1)]) @ matrix
    strongest = np.array(np.unravel_index(np.abs(common).argmax(), common.shape))
    far = np.hypot(*(np.indices(common.shape) - strongest[:, None, None])) > REACH / 2
    return LabelFit(
        as_is=float(common[REACH, REACH]) / scale,
        displaced=blocks.total(matrix) / scale,
        confirmed=blocks.confirmed() / scale,
        highest=float(common.max()) / scale,
        lowest=float(common.min()) / scale,
        corners=corners * factor,
        noise=float(common[far].std()) / scale,
    )


@dataclass(frozen=True)
class _Blocks:
    """The cross-correlations of the blocks of a mask with the image.

    Attributes:
        centres: (1, y, x) of each block, (B, 3).
        correlation: sum of products at each shift (dy, dx) from -REACH to REACH, (B, 2 REACH + 1, 2 REACH + 1).
        energy: of each block's mask, (B,).
        parts: 0 to 3, of each block, (B,): those of one part do not touch.
    """

    centres: np.ndarray
    correlation: np.ndarray
    energy: np.ndarray
    parts: np.ndarray

    @classmethod
    def of(cls, dark: np.ndarray, pore: np.ndarray) -> _Blocks:
        """Those of a mask and a band-passed image, both (H, W)."""
        rows, columns = (_edges(n) for n in pore.shape)
        around = np.pad(dark, REACH)
        tall, wide = (int(np.diff(edges).max()) + 2 * REACH for edges in (rows, columns))
        size = (fft.next_fast_len(tall, real=True), fft.next_fast_len(wide, real=True))
        images, masks, centres, parts = [], [], [], []
        for row, (top, bottom) in enumerate(pairwise(rows)):
            for column, (left, right) in enumerate(pairwise(columns)):
                images.append(_padded(around[top : bottom + 2 * REACH, left : right + 2 * REACH], size))
                masks.append(_padded(pore[top:bottom, left:right], size))
                centres.append((1.0, (top + bottom - 1) / 2, (left + right - 1) / 2))
                parts.append(2 * (row % 2) + column % 2)
        spectrum = fft.rfft2(np.stack(images)) * fft.rfft2(np.stack(masks)).conj()
        correlation = fft.irfft2(spectrum, size)[:, : 2 * REACH + 1, : 2 * REACH + 1]
        energy = np.array([float((mask * mask).sum()) for mask in masks])
        return cls(np.array(centres), correlation, energy, np.array(parts))

    def some(self, which: np.ndarray) -> _Blocks:
        """Those of a choice (B,) of truth values."""
        return _Blocks(self.centres[which], self.correlation[which], self.energy[which], self.parts[which])

    def confirmed(self) -> float:
        """Sum of products with the blocks of each part displaced as a fit to the other parts says."""
        total = 0.0
        for part in np.unique(self.parts):
            others = self.some(self.parts != part)
            total += self.some(self.parts == part).total(others.fitted(others.correlation.sum(axis=0)))
        return total

    def total(self, matrix: np.ndarray) -> float:
        """Sum of products with each block displaced as a matrix (3, 2) says, to the next pixel."""
        shifts = np.clip(np.rint(self.centres @ matrix).astype(int), -REACH, REACH) + REACH
        return float(self.correlation[np.arange(len(shifts)), shifts[:, 0], shifts[:, 1]].sum())

    def fitted(self, common: np.ndarray) -> np.ndarray:
        """The displacement, linear in the position, that suits the blocks: (3, 2), from (1, y, x) to (dy, dx)."""
        peaks = self.correlation.reshape(len(self.correlation), -1)
        best = np.stack(np.unravel_index(peaks.argmax(axis=1), common.shape), axis=1) - REACH
        # the peak's height over the block's other shifts, in a unit of length of the mask
        height = (peaks.max(axis=1) - peaks.mean(axis=1)) / np.sqrt(self.energy + 1e-12)
        trust = np.where(self.energy > 0.02 * self.energy.max(), np.clip(height, 0, None) ** 2, 0)
        start = np.array(np.unravel_index(common.argmax(), common.shape)) - REACH
        matrix = np.array([start, (0, 0), (0, 0)], dtype=float)
        scale = float(np.abs(self.centres).max())
        positions = self.centres / (1.0, scale, scale)
        for _ in range(_ROUNDS):
            off = np.hypot(*(best - self.centres @ matrix).T)
            weight = trust / (1 + (off / 2) ** 2)
            # a weak pull to a common shift: where few blocks see anything, there is no slope to be had
            normal = positions.T @ (weight[:, None] * positions) + np.diag([1e-9, 0.02, 0.02]) * weight.sum()
            matrix = np.linalg.solve(normal, positions.T @ (weight[:, None] * best)) / np.array(
                [[1.0], [scale], [scale]]
            )
        common_shift = np.array([start, (0, 0), (0, 0)], dtype=float)
        return max((matrix, common_shift), key=self.total)


def _edges(length: int) -> np.ndarray:
    count = min(_BLOCKS, length // _SMALLEST_BLOCK)
    return np.linspace(0, length, count + 1).astype(int)


def _padded(block: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    full = np.zeros(size, dtype=np.float32)
    full[: block.shape[0], : block.shape[1]] = block
    return full


def _band(image: np.ndarray) -> np.ndarray:
    """Structures between the two scales, mean 0."""
    band = gaussian_filter(image, _FINE, truncate=3.0) - gaussian_filter(image, _COARSE, truncate=3.0)
    return band - band.mean()


def doubt_kind(fit: LabelFit) -> str | None:
    """What is wrong with a mask; None where it looks right, or where too little is to be seen."""
    if -fit.lowest > max(_NEGATIVE_RATIO * fit.highest, _CLEARLY_NEGATIVE * fit.noise):
        return INVERTED
    displaced = (
        fit.largest >= _LEAST_DISPLACEMENT
        and fit.displaced > _CLEAR * fit.noise
        and _is_gain(fit, fit.displaced, 1)
        and _is_gain(fit, fit.confirmed, _CONFIRMED)
    )
    if displaced:
        return CHANGING if fit.varying >= _LEAST_DISPLACEMENT else SHIFTED
    return UNFIT if fit.as_is < _NO_FIT * fit.noise else None


def _is_gain(fit: LabelFit, correlation: float, share: float) -> bool:
    """Whether a correlation is higher than that of the mask as it is, by a share of what is asked of a displacement."""
    ratio = 1 + share * (_LEAST_RATIO - 1)
    return correlation > ratio * fit.as_is and correlation - fit.as_is > share * _LEAST_GAIN * fit.noise
