"""Where a mask fits its image best: by how much it is shifted, sheared or stretched, and whether it is inverted.

Pores are darker than what is around them. Image and mask are band-passed, so that only edges and small pores count and
neither shading nor grey level does, and cross-correlated in blocks at all shifts up to `REACH`. Each block's best
shift is an observation of the displacement there; a displacement that is linear in the position (shift, drift from
top to bottom, shear, stretch) is fitted to them. It counts only by what it gains: the correlation with the mask
displaced like this, over that with the mask as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

REACH = 16  # pixels: displacements up to that are found

_FINE, _COARSE = 1.0, 6.0  # pixels: standard deviations of the band-pass
_BLOCKS = 4  # along each side
_SMALLEST_BLOCK = 32  # pixels; smaller ones hold too little for a shift of their own
_LARGEST_SIDE = 1024  # pixels; larger images are reduced, as a displacement that matters grows with them
_ROUNDS = 8  # of the fit, in which blocks far off lose their weight
_BRIGHTEST = 3.0  # standard deviations: charging and dust must not outweigh all else


@dataclass(frozen=True)
class LabelFit:
    """How a mask lies on its image.

    Attributes:
        as_is: correlation of the pores' darkness with the mask where it is, -1 to 1; negative where the mask is
            brighter than what is around it.
        displaced: the same with the mask displaced as fitted.
        highest: the highest correlation at any common shift.
        lowest: the lowest one.
        corners: displacement (dy, dx), pixels, that the mask needs at the image's upper left, upper right, lower
            left and lower right, (4, 2).
        noise: standard deviation of the correlation at shifts far from the strongest one.
    """

    as_is: float
    displaced: float
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


def fit_label(image: np.ndarray, mask: np.ndarray) -> LabelFit | None:
    """Compare a mask with its image.

    Args:
        image: Grey values, (H, W).
        mask: Truth values, (H, W).

    Returns:
        None where nothing can be said: an empty or full mask, a constant image, or one that is smaller than
        two blocks.
    """
    factor = -(-max(image.shape) // _LARGEST_SIDE)
    height, width = (n // factor for n in image.shape)
    if min(height, width) < 2 * _SMALLEST_BLOCK:
        return None
    dark = _band(-_reduced(image, factor))
    pore = _band(_reduced(mask, factor))
    spread = float(dark.std())
    if spread == 0 or not pore.any():
        return None
    dark = np.clip(dark, -_BRIGHTEST * spread, _BRIGHTEST * spread)
    blocks = _Blocks(dark, pore)
    scale = float(np.sqrt((dark * dark).sum() * (pore * pore).sum()))
    common = blocks.correlation.sum(axis=0)
    matrix = blocks.fitted(common)
    corners = np.array([(1.0, y, x) for y in (0, height - 1) for x in (0, width - 1)]) @ matrix
    strongest = np.array(np.unravel_index(np.abs(common).argmax(), common.shape))
    far = np.hypot(*(np.indices(common.shape) - strongest[:, None, None])) > REACH / 2
    return LabelFit(
        as_is=float(common[REACH, REACH]) / scale,
        displaced=blocks.total(matrix) / scale,
        highest=float(common.max()) / scale,
        lowest=float(common.min()) / scale,
        corners=corners * factor,
        noise=float(common[far].std()) / scale,
    )


class _Blocks:
    """The cross-correlations of the blocks of a mask with the image.

    Attributes:
        centres: (1, y, x) of each block, (B, 3).
        correlation: sum of products at each shift (dy, dx) from -REACH to REACH, (B, 2 REACH + 1, 2 REACH + 1).
        energy: of each block's mask, (B,).
    """

    def __init__(self, dark: np.ndarray, pore: np.ndarray) -> None:
        rows, columns = (_edges(n) for n in pore.shape)
        around = np.pad(dark, REACH)
        tall, wide = (int(np.diff(edges).max()) + 2 * REACH for edges in (rows, columns))
        size = (fft.next_fast_len(tall, real=True), fft.next_fast_len(wide, real=True))
        images, masks, centres = [], [], []
        for top, bottom in pairwise(rows):
            for left, right in pairwise(columns):
                images.append(_padded(around[top : bottom + 2 * REACH, left : right + 2 * REACH], size))
                masks.append(_padded(pore[top:bottom, left:right], size))
                centres.append((1.0, (top + bottom - 1) / 2, (left + right - 1) / 2))
        spectrum = fft.rfft2(np.stack(images)) * fft.rfft2(np.stack(masks)).conj()
        self.correlation = fft.irfft2(spectrum, size)[:, : 2 * REACH + 1, : 2 * REACH + 1]
        self.energy = np.array([float((mask * mask).sum()) for mask in masks])
        self.centres = np.array(centres)

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


def _reduced(image: np.ndarray, factor: int) -> np.ndarray:
    height, width = (n // factor for n in image.shape)
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def _band(image: np.ndarray) -> np.ndarray:
    """Structures between the two scales, mean 0."""
    band = gaussian_filter(image, _FINE, truncate=3.0) - gaussian_filter(image, _COARSE, truncate=3.0)
    return band - band.mean()
