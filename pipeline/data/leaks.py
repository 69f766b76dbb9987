"""Leaks: the same or overlapping image content in two splits.

Every pair of images of different splits is compared, but for parts of one image that lie apart.

1. Both are brought to one low resolution and normalised locally (mean 0, standard deviation 1 in a Gaussian
   neighbourhood; straight stripes removed), so that brightness, contrast, shading and curtaining don't count.
2. Their cross-correlation at all shifts, by FFT, shows where the overlapping parts agree best. Such a peak must be
   high in units of its own noise, and stand out from the pair's other shifts: blurred or striped images agree
   somewhat at many shifts without having anything in common.
3. It is verified at four times that resolution (at most the full one): the shift is refined, the overlap divided
   into blocks, and only where the *median* of the blocks' correlations is high is it a leak. An info bar or a
   defect of the detector that two images share fills a few blocks, and raises no alarm.

Each pair is compared as it is first, and then with one image in the seven other positions that mirroring and right
angles give. Crops at another magnification are not found.
The thresholds were set on crops of real SEM images; see `tests/data/test_leaks.py` for what must hold.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy import fft
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from pipeline.data.samples import Sample

SMALLEST_OVERLAP = 0.12  # share of the smaller image; below that, agreement by chance can't be distinguished

_COARSE_SIDE = 80  # pixels: the low resolution has at least so many along the smaller image's short side
_LEAST_PEAK = 5.5  # in standard deviations, were neighbouring pixels independent
_LEAST_CONTRAST = 6.0  # over the root mean square of all shifts
_LEAST_CORRELATION = 0.4  # median over the blocks; unrelated SEM images reach 0.35 ...
_SMALLEST_TURNED = 0.25  # an info bar that lies on another one's mirror image fills a narrow overlap
_NARROW = 0.25  # share of the smaller image, below which ...
_LEAST_IN_DOUBT = 0.5  # ... chance reaches 0.44, as it does where there are seven more positions to try
_PEAKS = 3  # the first may be an info bar at shift 0
_BLOCKS = 4  # along each side of the overlap
_TURNS = (
    "",
    "turned by 90 degrees",
    "turned by 180 degrees",
    "turned by 270 degrees",
    "mirrored",
    "mirrored and turned by 90 degrees",
    "mirrored and turned by 180 degrees",
    "mirrored and turned by 270 degrees",
)


@dataclass(frozen=True)
class Leak:
    """Content that two images of different splits share.

    Attributes:
        first: One of them.
        second: The other.
        share: The shared part's area over that of the smaller image.
        shift: (dy, dx) in pixels: the second's pixel (y, x), after `turn`, is the first's (y + dy, x + dx).
        correlation: Of the shared part after local normalisation, median over blocks; 1 for a copy.
        copy: Whether both have the same pixels, perhaps flipped or turned; `shift` is (0, 0) then.
        turn: What brings the second into the first's position, as text; empty where nothing has to.
    """

    first: Sample
    second: Sample
    share: float
    shift: tuple[int, int]
    correlation: float
    copy: bool = False
    turn: str = ""

    def __str__(self) -> str:
        one, other = (f"{s.name} ({s.split}, source {s.source})" for s in (self.first, self.second))
        if self.copy:
            return f"{one} and {other} are the same image"
        dy, dx = self.shift
        turned = f"the second one {self.turn}, " if self.turn else ""
        return (
            f"{one} and {other} overlap by {100 * self.share:.0f} % ({turned}shifted by {dx}, {dy} pixels in x, y; "
            f"correlation {self.correlation:.2f})"
        )


@dataclass(frozen=True)
class LeakSearch:
    """What a search found, and how far it went.

    Attributes:
        leaks: Copies first.
        share: Of the comparisons that were made, 0 to 1; copies are always looked for.
    """

    leaks: list[Leak]
    share: float


def search_leaks(samples: Sequence[Sample], seconds: float | None = None) -> LeakSearch:
    """Find images of different splits that share content.

    About 1 ms for each pair of images in each of eight positions, whatever their size, and the reading of all images.
    A progress bar shows on a terminal.

    Args:
        samples: Of all splits.
        seconds: After these it ends; the pairs are compared in random order, the same each time, as they are first.
            None: all are compared.

    Returns:
        The leaks: copies first, otherwise in the samples' order; one for a pair.

    Raises:
        UserError: An image can't be read.
    """
    start = time.monotonic()
    pairs = [(a, b) for a, b in combinations(samples, 2) if a.split != b.split and not _apart(a, b)]
    compared = {sample.name: sample for pair in pairs for sample in pair}
    views = _Views(list(compared.values()))
    hashes = {name: _pixel_hash(views.pixels(name)) for name in compared}
    copies = [(a, b) for a, b in pairs if hashes[a.name] and hashes[a.name] == hashes[b.name]]
    found = {(a.name, b.name): Leak(a, b, share=1.0, shift=(0, 0), correlation=1.0, copy=True) for a, b in copies}
    different = [(a, b) for a, b in pairs if (a.name, b.name) not in found]
    made, total = 0, len(different) * len(_TURNS)
    with tqdm(total=total, desc="comparing images", unit="pair", disable=None, leave=False) as progress:
        for first, second, turn in _comparisons(different, in_order=seconds is None):
            if seconds is not None and time.monotonic() - start > seconds:
                break
            made += 1
            progress.update()
            if (first.name, second.name) not in found:
                leak = _compare(first, second, turn, views)
                if leak:
                    found[first.name, second.name] = leak
    names = [(a.name, b.name) for a, b in copies + different]
    return LeakSearch([found[pair] for pair in names if pair in found], made / total if total else 1.0)


def _apart(first: Sample, second: Sample) -> bool:
    """Whether both are parts of one image that have no pixel in common."""
    if first.image != second.image or first.part is None or second.part is None:
        return False
    a, b = first.part, second.part
    meet_x = a.x < b.x + b.width and b.x < a.x + a.width
    return not (meet_x and a.y < b.y + b.height and b.y < a.y + a.height)


def _comparisons(pairs: list[tuple[Sample, Sample]], in_order: bool) -> Iterator[tuple[Sample, Sample, int]]:
    """Yield the pairs as they are, and then with the second turned; all of one turned image in a row, as it is kept."""
    pairs = list(pairs) if in_order else random.Random(0).sample(pairs, len(pairs))
    for first, second in pairs:
        yield first, second, 0
    by_second: dict[str, list[tuple[Sample, Sample]]] = {}
    for first, second in pairs:
        by_second.setdefault(second.name, []).append((first, second))
    for members in by_second.values():
        for turn in range(1, len(_TURNS)):
            for first, second in members:
                yield first, second, turn


def _turned(image: np.ndarray, turn: int) -> np.ndarray:
    """One of the eight positions of an image: mirrored (from 4 on), then turned."""
    return np.rot90(image[:, ::-1] if turn >= 4 else image, turn % 4)


def _pixel_hash(image: np.ndarray) -> str:
    """Hash pixels so that the eight flips and right-angle turns have the same hash; '' for a constant image."""
    if image.min() == image.max():
        return ""
    turned = [np.rot90(mirrored, k) for mirrored in (image, image.T) for k in range(4)]
    return min(hashlib.sha256(repr((t.shape, t.dtype.name)).encode() + t.tobytes()).hexdigest() for t in turned)


class _Views:
    """Reduced and normalised forms of images, kept as long as they are likely to be wanted again."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._sample = {sample.name: sample for sample in samples}
        self._last: dict[str, np.ndarray] = {}
        self._coarse: dict[Any, np.ndarray] = {}
        self._spectra: dict[Any, np.ndarray] = {}
        self._turned: dict[Any, np.ndarray] = {}
        self._turned_image: tuple[str, int] | None = None

    def pixels(self, name: str) -> np.ndarray:
        """Return the image of a sample by its name, (H, W)."""
        if name not in self._last:
            if len(self._last) >= 16:  # full images are large
                self._last.pop(next(iter(self._last)))
            self._last[name] = self._sample[name].read_image()
        return self._last[name]

    def coarse(self, name: str, factor: int, turn: int = 0) -> np.ndarray:
        """Return the normalised image at 1/factor of its resolution."""
        key, kept = (name, factor, turn), self._kept(self._coarse, name, turn)
        if key not in kept:
            kept[key] = _normalised(reduced(_turned(self.pixels(name), turn), factor), sigma=3.0)
        return kept[key]

    def fine(self, name: str, factor: int, turn: int = 0) -> np.ndarray:
        """Return the normalised image for verification, slightly smoothed against noise."""
        image = reduced(_turned(self.pixels(name), turn), factor)
        return _normalised(gaussian_filter(image, 2.0), sigma=12.0)

    def spectrum(self, name: str, factor: int, size: tuple[int, int], turn: int = 0) -> np.ndarray:
        """Return the Fourier transform of `coarse`, padded to `size`."""
        key, kept = (name, factor, size, turn), self._kept(self._spectra, name, turn)
        if key not in kept:
            kept[key] = fft.rfft2(self.coarse(name, factor, turn), size)
        return kept[key]

    def _kept(self, views: dict[Any, np.ndarray], name: str, turn: int) -> dict[Any, np.ndarray]:
        """Where a view is kept: those of a turned image only as long as it is the one that is compared."""
        if not turn:
            return views
        if self._turned_image != (name, turn):
            self._turned_image = (name, turn)
            self._turned.clear()
        return self._turned


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
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


def _compare(first: Sample, second: Sample, turn: int, views: _Views) -> Leak | None:
    """Return the leak between two images, the second turned, if there is one."""
    side = min(first.shape + second.shape)
    coarse = 2 ** max(0, int(np.log2(side / _COARSE_SIDE)))
    fine = max(1, coarse // 4)
    for dy, dx in _peaks(first.name, second.name, turn, coarse, views):
        a, b = views.fine(first.name, fine), views.fine(second.name, fine, turn)
        step = coarse // fine
        shift = _refined(a, b, (dy * step, dx * step), reach=step + 1)
        part, other = _overlap(a, b, shift)
        correlation = _block_correlation(part, other)
        share = part.size / min(a.size, b.size)
        if correlation >= (_LEAST_IN_DOUBT if turn or share < _NARROW else _LEAST_CORRELATION):
            shift = (shift[0] * fine, shift[1] * fine)
            return Leak(first, second, share, shift, correlation, turn=_TURNS[turn])
    return None


def _peaks(first: str, second: str, turn: int, factor: int, views: _Views) -> Iterator[tuple[int, int]]:
    """Yield the shifts (dy, dx), in coarse pixels, at which two images agree better than chance explains."""
    a, b = views.coarse(first, factor), views.coarse(second, factor, turn)
    size = (_fft_length(a.shape[0] + b.shape[0]), _fft_length(a.shape[1] + b.shape[1]))
    product = views.spectrum(first, factor, size) * views.spectrum(second, factor, size, turn).conj()
    rows, dys = _common_length(a.shape[0], b.shape[0], size[0])
    columns, dxs = _common_length(a.shape[1], b.shape[1], size[1])
    area = rows[:, None] * columns
    valid = area >= (_SMALLEST_TURNED if turn else SMALLEST_OVERLAP) * min(a.size, b.size)
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
