"""Leaks: the same or overlapping image content in two splits.

Every pair of images of different splits is compared.

1. Both are brought to one low resolution and normalised locally (mean 0, standard deviation 1 in a Gaussian
   neighbourhood; straight stripes removed), so that brightness, contrast, shading and curtaining don't count.
2. Their cross-correlation at all shifts, by FFT, shows where the overlapping parts agree best. Such a peak must be
   high in units of its own noise, and stand out from the pair's other shifts: blurred or striped images agree
   somewhat at many shifts without having anything in common.
3. It is verified at four times that resolution (at most the full one): the shift is refined, the overlap divided
   into blocks, and only where the *median* of the blocks' correlations is high is it a leak. An info bar or a
   defect of the detector that two images share fills a few blocks, and raises no alarm.

Flipped and turned copies are found as duplicates, not as overlaps; crops at another magnification are not found.
The thresholds were set on crops of real SEM images; see `tests/data/test_leaks.py` for what must hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from pipeline.data.images import read_image
from pipeline.data.samples import Sample

SMALLEST_OVERLAP = 0.12  # share of the smaller image; below that, agreement by chance can't be told apart

_COARSE_SIDE = 80  # pixels: the low resolution has at least so many along the smaller image's short side
_LEAST_PEAK = 5.5  # in standard deviations, were neighbouring pixels independent
_LEAST_CONTRAST = 6.0  # over the root mean square of all shifts
_LEAST_CORRELATION = 0.4  # median over the blocks; unrelated SEM images reach 0.35
_PEAKS = 3  # the first may be an info bar at shift 0
_BLOCKS = 4  # along each side of the overlap


@dataclass(frozen=True)
class Leak:
    """Content that two images of different splits share.

    Attributes:
        first: One of them.
        second: The other.
        share: The shared part's area over that of the smaller image.
        shift: (dy, dx) in pixels: the second's pixel (y, x) is the first's (y + dy, x + dx).
        correlation: Of the shared part after local normalisation, median over blocks; 1 for a copy.
        copy: Whether both have the same pixels, perhaps flipped or turned; `shift` is (0, 0) then.
    """

    first: Sample
    second: Sample
    share: float
    shift: tuple[int, int]
    correlation: float
    copy: bool = False

    def __str__(self) -> str:
        one, other = (f"{s.name} ({s.split}, source {s.source})" for s in (self.first, self.second))
        if self.copy:
            return f"{one} and {other} are the same image"
        dy, dx = self.shift
        return (
            f"{one} and {other} overlap by {100 * self.share:.0f} % (shifted by {dx}, {dy} pixels in x, y; "
            f"correlation {self.correlation:.2f})"
        )


def find_leaks(samples: Sequence[Sample]) -> list[Leak]:
    """Find images of different splits that share content.

    About 1 ms for each pair of images, whatever their size, and the reading of all images. A progress bar shows on
    a terminal.

    Args:
        samples: Of all splits.

    Returns:
        The leaks, copies first, otherwise in the samples' order.

    Raises:
        UserError: An image can't be read.
    """
    views = _Views()
    hashes = {sample.name: _pixel_hash(views.pixels(sample.image)) for sample in samples}
    copies: list[Leak] = []
    overlaps: list[Leak] = []
    pairs = [(a, b) for a, b in combinations(samples, 2) if a.split != b.split]
    for first, second in tqdm(pairs, desc="comparing images", unit="pair", disable=None, leave=False):
        if hashes[first.name] and hashes[first.name] == hashes[second.name]:
            copies.append(Leak(first, second, share=1.0, shift=(0, 0), correlation=1.0, copy=True))
        else:
            leak = _compare(first, second, views)
            if leak:
                overlaps.append(leak)
    return copies + overlaps


def _pixel_hash(image: np.ndarray) -> str:
    """Hash pixels so that the eight flips and right-angle turns have the same hash; '' for a constant image."""
    if image.min() == image.max():
        return ""
    turned = [np.rot90(mirrored, k) for mirrored in (image, image.T) for k in range(4)]
    return min(hashlib.sha256(repr((t.shape, t.dtype.name)).encode() + t.tobytes()).hexdigest() for t in turned)


class _Views:
    """Reduced and normalised forms of images, kept as long as they are likely to be wanted again."""

    def __init__(self) -> None:
        self._last: dict[Path, np.ndarray] = {}
        self._coarse: dict[tuple[Path, int], np.ndarray] = {}
        self._spectra: dict[tuple[Path, int, tuple[int, int]], np.ndarray] = {}

    def pixels(self, path: Path) -> np.ndarray:
        """Return the image, (H, W)."""
        if path not in self._last:
            if len(self._last) >= 16:  # full images are large
                self._last.pop(next(iter(self._last)))
            self._last[path] = read_image(path)
        return self._last[path]

    def coarse(self, path: Path, factor: int) -> np.ndarray:
        """Return the normalised image at 1/factor of its resolution."""
        key = (path, factor)
        if key not in self._coarse:
            self._coarse[key] = _normalised(_reduced(self.pixels(path), factor), sigma=3.0)
        return self._coarse[key]

    def fine(self, path: Path, factor: int) -> np.ndarray:
        """Return the normalised image for verification, slightly smoothed against noise."""
        return _normalised(gaussian_filter(_reduced(self.pixels(path), factor), 2.0), sigma=12.0)

    def spectrum(self, path: Path, factor: int, size: tuple[int, int]) -> np.ndarray:
        """Return the Fourier transform of `coarse`, padded to `size`."""
        key = (path, factor, size)
        if key not in self._spectra:
            self._spectra[key] = fft.rfft2(self.coarse(path, factor), size)
        return self._spectra[key]


def _reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """Average over squares of factor x factor pixels; a rest at the right and lower edge is cut."""
    height, width = (n // factor for n in image.shape)
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def _normalised(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return the image with local mean 0 and local standard deviation 1, and no straight stripes."""
    centred = image - gaussian_filter(image, sigma)
    deviation = np.sqrt(gaussian_filter(centred * centred, sigma))
    floor = 0.05 * float(deviation.mean())  # or the noise of featureless regions would be blown up
    if floor == 0:
        return np.zeros_like(centred)
    flat = centred / (deviation + floor)
    flat -= flat.mean(axis=0)
    return flat - flat.mean(axis=1, keepdims=True)


def _compare(first: Sample, second: Sample, views: _Views) -> Leak | None:
    """Return the leak between two images, if there is one."""
    side = min(first.shape + second.shape)
    coarse = 2 ** max(0, int(np.log2(side / _COARSE_SIDE)))
    fine = max(1, coarse // 4)
    for dy, dx in _peaks(first.image, second.image, coarse, views):
        a, b = views.fine(first.image, fine), views.fine(second.image, fine)
        step = coarse // fine
        shift = _refined(a, b, (dy * step, dx * step), reach=step + 1)
        part, other = _overlap(a, b, shift)
        correlation = _block_correlation(part, other)
        if correlation >= _LEAST_CORRELATION:
            share = part.size / min(a.size, b.size)
            return Leak(first, second, share, (shift[0] * fine, shift[1] * fine), correlation)
    return None


def _peaks(first: Path, second: Path, factor: int, views: _Views) -> Iterator[tuple[int, int]]:
    """Yield the shifts (dy, dx), in coarse pixels, at which two images agree better than chance explains."""
    a, b = views.coarse(first, factor), views.coarse(second, factor)
    size = (_fft_length(a.shape[0] + b.shape[0]), _fft_length(a.shape[1] + b.shape[1]))
    product = views.spectrum(first, factor, size) * views.spectrum(second, factor, size).conj()
    rows, dys = _common_length(a.shape[0], b.shape[0], size[0])
    columns, dxs = _common_length(a.shape[1], b.shape[1], size[1])
    area = rows[:, None] * columns
    valid = area >= SMALLEST_OVERLAP * min(a.size, b.size)
    # a sum of n products of values with variance 1 has the standard deviation sqrt(n)
    score = np.where(valid, fft.irfft2(product, size) / np.sqrt(np.maximum(area, 1)), 0)
    least = max(_LEAST_PEAK, _LEAST_CONTRAST * float(np.sqrt(np.mean(score[valid] ** 2))))
    for _ in range(_PEAKS):
        y, x = np.unravel_index(int(score.argmax()), score.shape)
        if score[y, x] < least:
            return
        yield int(dys[y]), int(dxs[x])
        near = np.ix_(np.arange(y - 3, y + 4) % size[0], np.arange(x - 3, x + 4) % size[1])
        score[near] = 0


def _fft_length(total: int) -> int:
    return int(fft.next_fast_len(total - 1, real=True))


def _common_length(first: int, second: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the overlap of two intervals for each circular shift of the second, and the signed shifts."""
    shifts = np.arange(size)
    shifts = np.where(shifts < first, shifts, shifts - size)
    return np.clip(np.minimum(first, second + shifts) - np.maximum(0, shifts), 0, None), shifts


def _overlap(a: np.ndarray, b: np.ndarray, shift: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of `a` and of `b` that lie on each other when `b` is moved by `shift`."""
    (dy, dx), (top, left) = shift, (max(0, shift[0]), max(0, shift[1]))
    bottom, right = min(a.shape[0], b.shape[0] + dy), min(a.shape[1], b.shape[1] + dx)
    return a[top:bottom, left:right], b[top - dy : bottom - dy, left - dx : right - dx]


def _refined(a: np.ndarray, b: np.ndarray, shift: tuple[int, int], reach: int) -> tuple[int, int]:
    """Return the shift within `reach` pixels of the given one at which the parts correlate best."""
    part, other = _overlap(a, b, shift)
    size = tuple(int(fft.next_fast_len(n + 2 * reach, real=True)) for n in part.shape)
    correlation = fft.irfft2(fft.rfft2(part, size) * fft.rfft2(other, size).conj(), size)
    lags = np.r_[0 : reach + 1, -reach:0]
    near = correlation[np.ix_(lags, lags)]
    y, x = np.unravel_index(int(near.argmax()), near.shape)
    return shift[0] + int(lags[y]), shift[1] + int(lags[x])


def _block_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the median of Pearson's correlation over a grid of blocks."""
    values = []
    for rows_a, rows_b in zip(np.array_split(a, _BLOCKS), np.array_split(b, _BLOCKS), strict=True):
        for u, v in zip(np.array_split(rows_a, _BLOCKS, 1), np.array_split(rows_b, _BLOCKS, 1), strict=True):
            u, v = u - u.mean(), v - v.mean()
            scale = float(np.sqrt((u * u).sum() * (v * v).sum()))
            values.append(float((u * v).sum()) / scale if scale else 0.0)
    return float(np.median(values))
