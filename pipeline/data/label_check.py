"""Masks that look shifted, stretched, inverted, or made for another image, by where a mask fits its image best.

Pores are dark, so mask and band-passed darkness correlate; whether another phase is darker or brighter than its
surroundings, most of a data set's masks say, and one that is neither is not judged. Blocks of the image show where they
correlate best, and a displacement that is linear in the position is fitted to them; it counts only where it clearly
raises the correlation. Not phase correlation, which weighs all frequencies alike, so that noise dominates. The quality
of a mask is not judged.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter

from pipeline.data.leaks import reduced
from pipeline.data.samples import Sample
from pipeline.phases import PORE, UNLABELLED

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
_CLEAR = 4.0  # a correlation, in units of noise, that no unrelated mask reaches
_CLEARLY_NEGATIVE = 3.0
#: of a data set's masks of a phase: those of clearly dark or bright phases have 6 to 13, of others 1 to 2
_LEAST_CONTRAST = 4.0  # median of the correlations, in units of noise
_LEAST_AGREEING = 0.8  # share of the masks on one side
_LEAST_LABELLED = 0.5  # share of an image; between strokes there is no outline that could fit
_NEGATIVE_RATIO = 1.5
_NO_FIT = 1.5


@dataclass(frozen=True)
class LabelFit:
    """How a mask lies on its image.

    Attributes:
        as_is: correlation of the phase's darkness (brightness, of a bright one) with the mask where it is, -1 to 1;
            negative where the mask is brighter (darker) than what is around it.
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


def _band(image: np.ndarray) -> np.ndarray:
    """Structures between the two scales, mean 0."""
    band = gaussian_filter(image, _FINE, truncate=3.0) - gaussian_filter(image, _COARSE, truncate=3.0)
    return band - band.mean()


@dataclass(frozen=True)
class LabelDoubt:
    """A mask that does not look right on its image.

    Attributes:
        sample: Whose mask it is.
        kind: `SHIFTED`, `CHANGING` (stretched, sheared, drifting), `INVERTED` or `UNFIT`.
        fit: What was measured.
        phase: Whose mask it is, by name.
        bright: Whether this phase is brighter than its surroundings in most masks.
    """

    sample: Sample
    kind: str
    fit: LabelFit
    phase: str = PORE
    bright: bool = False

    def __str__(self) -> str:
        values = self.sample.values
        name = self.sample.label.name + (f" ({self.phase})" if len(values.phases) > 1 else "")
        if self.kind == INVERTED and self.phase == PORE:
            option = "--pore_label" if values.pores_only else "--phases"
            return (
                f"{name} looks inverted: what it marks as pore is brighter than its surroundings; "
                f"is another value pore ({option})?"
            )
        if self.kind == INVERTED:
            this, others = ("darker", "brighter") if self.bright else ("brighter", "darker")
            return (
                f"{name} looks inverted: what it marks as {self.phase} is {this} than its surroundings, and {others} "
                "in the other masks; do its values mean the same?"
            )
        if self.kind == UNFIT:
            return f"{name} does not match its image at any position; was it made for another image, or rotated?"
        if self.kind == SHIFTED:
            return f"{name} looks shifted: it fits its image when moved by {_move(self.fit.corners.mean(axis=0))}"
        upper_left, upper_right, lower_left, lower_right = map(_move, self.fit.corners)
        return (
            f"{name} looks stretched, sheared or drifting: it fits its image when its upper left corner is moved by "
            f"{upper_left}, the upper right by {upper_right}, the lower left by {lower_left} and the lower right by "
            f"{lower_right}"
        )


def doubt_kind(fit: LabelFit) -> str | None:
    """What is wrong with a mask; None where it looks right, or where too little is to be seen."""
    if -fit.lowest > max(_NEGATIVE_RATIO * fit.highest, _CLEARLY_NEGATIVE * fit.noise):
        return INVERTED
    gain = fit.displaced - fit.as_is
    displaced = (
        fit.largest >= _LEAST_DISPLACEMENT
        and fit.displaced > _CLEAR * fit.noise
        and fit.displaced > _LEAST_RATIO * fit.as_is
        and gain > _LEAST_GAIN * fit.noise
    )
    if displaced:
        return CHANGING if fit.varying >= _LEAST_DISPLACEMENT else SHIFTED
    return UNFIT if fit.as_is < _NO_FIT * fit.noise else None


def check_labels(samples: Sequence[Sample]) -> list[LabelDoubt]:
    """Compare each mask of each phase with its image.

    Some 15 ms for an image of 400 x 343 pixels on one core, and the reading of it; threads share the work.

    Args:
        samples: Of any split.

    Returns:
        The masks that look wrong, the worst first: inverted, unfit, then by the largest displacement.

    Raises:
        UserError: A file can't be read.
    """
    sides = {
        (dataset, phase): _is_bright([sample for sample in samples if sample.dataset == dataset], phase)
        for dataset in dict.fromkeys(sample.dataset for sample in samples)
        for phase in {name: None for sample in samples if sample.dataset == dataset for name in sample.phase_pixels}
    }
    judged = [
        (sample, phase, bright)
        for sample in samples
        for phase in sample.phase_pixels
        if (bright := sides[sample.dataset, phase]) is not None and _can_be_judged(sample, phase)
    ]

    def doubt(one: tuple[Sample, str, bool]) -> LabelDoubt | None:
        sample, phase, bright = one
        fit = fit_label(sample.read_image(), phase_mask(sample, phase), bright)
        kind = doubt_kind(fit) if fit else None
        return LabelDoubt(sample, kind, fit, phase, bright) if fit and kind else None

    doubts = [found for found in _by_threads(doubt, judged) if found]
    order = {INVERTED: 0, UNFIT: 1, CHANGING: 2, SHIFTED: 2}
    return sorted(doubts, key=lambda found: (order[found.kind], -found.fit.largest))


def _by_threads(task: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(task, arguments))


def _can_be_judged(sample: Sample, phase: str) -> bool:
    return 0 < sample.phase_pixels[phase] < sample.labelled and sample.labelled >= _LEAST_LABELLED * sample.pixels


def phase_mask(sample: Sample, phase: str) -> np.ndarray:
    """A phase in a sample's label, (H, W): 1 or 0; where it is not known, its share of the labelled pixels."""
    codes = sample.read_codes([phase])
    if sample.labelled == sample.pixels:
        return codes == 1
    return np.where(codes == UNLABELLED, np.float32(sample.areas[phase]), codes)


def _is_bright(samples: Sequence[Sample], phase: str) -> bool | None:
    """Whether most masks of a phase are brighter than their surroundings; None where they are neither."""
    if phase == PORE:
        return False
    judged = [sample for sample in samples if _can_be_judged(sample, phase)]
    fits = _by_threads(lambda sample: fit_label(sample.read_image(), phase_mask(sample, phase)), judged)
    contrast = np.array([fit.as_is / fit.noise for fit in fits if fit is not None])
    if not len(contrast) or abs(np.median(contrast)) < _LEAST_CONTRAST:
        return None
    bright = bool(np.median(contrast) < 0)
    return bright if np.mean((contrast < 0) == bright) >= _LEAST_AGREEING else None


def _move(displacement: np.ndarray) -> str:
    dy, dx = (round(float(part)) for part in displacement)
    parts = [f"{abs(dx)} px {'right' if dx > 0 else 'left'}"] if dx else []
    parts += [f"{abs(dy)} px {'down' if dy > 0 else 'up'}"] if dy else []
    return " and ".join(parts) or "0 px"
