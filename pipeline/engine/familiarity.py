"""Whether a scan looks like a network's training images: how far its grey levels and their spectrum are from theirs.

The Mahalanobis distance of an image's features from those of the training is a known sign that a network is asked about
something that it has not seen (K. Lee et al., A simple unified framework for detecting out-of-distribution samples and
adversarial attacks, NeurIPS 2018; for segmentation C. González et al., Medical Image Analysis 82 (2022) 102596). They
take pooled features of the network. Here these tell nothing: the norms take contrast and sharpness out of them, and
pure noise lies among the training images (docs/method.md has the numbers). So the features are the spectrum and the
distribution of the grey levels themselves, as the network sees the image: how sharp, noisy, coarse, skewed. The
covariance is shrunk as in Y. Chen, A. Wiesel, Y. C. Eldar and A. O. Hero, Shrinkage algorithms for MMSE covariance
estimation, IEEE Trans. Signal Process. 58 (2010) 5016 (OAS).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

#: side of the windows that are looked at (px, at the network's scale)
WINDOW = 128
#: of the bands of the spectrum: images are smoothed by these (px), and neighbours subtracted
_SMOOTHED = (0.0, 0.7, 1.4, 2.8, 5.6, 11.2)
#: of the distribution of grey levels
_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
#: an image is like the training where it is no further off than this share of images of left-out sources ...
LIKE = 0.95
#: ... and far off where it is this many times as far as those
FAR = 1.5
#: windows for each feature from which a spread is known: of fewer, what was not seen is infinitely far
_LEAST = 2

LEVELS = ("like", "unlike", "far off")


def windows_of(tiles: np.ndarray, side: int = WINDOW) -> np.ndarray:
    """Windows (M, side, side) that lie side by side in tiles (N, H, W); smaller tiles are one window each."""
    height, width = (min(side, length) for length in tiles.shape[1:])
    rows, columns = tiles.shape[1] // height, tiles.shape[2] // width
    top, left = (tiles.shape[1] - rows * height) // 2, (tiles.shape[2] - columns * width) // 2
    middle = tiles[:, top : top + rows * height, left : left + columns * width]
    return middle.reshape(-1, rows, height, columns, width).swapaxes(2, 3).reshape(-1, height, width)


def window_features(tiles: np.ndarray) -> np.ndarray:
    """Features of the windows of an image.

    Args:
        tiles: parts (N, H, W) of one image, without shading, mean 0 and spread 1 over its rock.

    Returns:
        (M, 13), a row for each window: logarithms of the standard deviations of six bands of the spectrum, from fine to
        coarse, and seven quantiles of the grey levels.
    """
    windows = windows_of(tiles)
    smoothed = [windows if sigma == 0 else gaussian_filter(windows, (0, sigma, sigma)) for sigma in _SMOOTHED]
    bands = [fine - coarse for fine, coarse in pairwise(smoothed)] + smoothed[-1:]
    spectrum = np.log(np.stack([band.std((1, 2)) for band in bands], axis=1) + 1e-3)
    return np.concatenate([spectrum, np.quantile(windows, _QUANTILES, axis=(1, 2)).T], axis=1)


def shrunk_covariance(features: np.ndarray) -> np.ndarray:
    """Covariance (D, D) of features (n, D), shrunk towards a multiple of the identity (OAS)."""
    count, size = features.shape
    sample = np.cov(features, rowvar=False, bias=True)
    scale = np.trace(sample) / size
    alpha = (sample**2).mean()
    spread = (count + 1) * (alpha - scale**2 / size)
    share = 1.0 if spread <= 0 else min(1.0, (alpha + scale**2) / spread)
    shrunk: np.ndarray = (1 - share) * sample + share * scale * np.eye(size)
    return shrunk


@dataclass(frozen=True)
class FeatureDistance:
    """Distance of windows from those of the training.

    Attributes:
        mean: (D,) of the training's features.
        spread: (D,), their standard deviations, in which distances are measured.
        whitening: (D, D), which makes their shrunk covariance the identity.
    """

    mean: np.ndarray
    spread: np.ndarray
    whitening: np.ndarray

    @classmethod
    def fitted(cls, features: np.ndarray) -> FeatureDistance:
        """To the features (n, D) of the windows of all images."""
        mean, spread = features.mean(0), features.std(0) + 1e-6
        values, vectors = np.linalg.eigh(shrunk_covariance((features - mean) / spread))
        return cls(mean, spread, (vectors / np.sqrt(np.maximum(values, 1e-8))).T)

    def of(self, features: np.ndarray) -> float:
        """Of one image, from the features (M, D) of its windows.

        The root of the mean over the windows of the squared Mahalanobis distance over D: about 1 for an image of the
        training.
        """
        return float(np.sqrt((((features - self.mean) / self.spread @ self.whitening.T) ** 2).mean()))


def describable(images: Sequence[np.ndarray]) -> bool:
    """Whether the windows' features (M, D) of images are enough to say what such images look like."""
    return bool(images) and sum(map(len, images)) >= _LEAST * images[0].shape[1]


@dataclass(frozen=True)
class Familiarity:
    """What a checkpoint keeps of its training images, to tell whether a scan is like them.

    Attributes:
        distance: from them.
        like: an image up to this distance is like the training ...
        far: ... and one above this is far off.
    """

    distance: FeatureDistance
    like: float
    far: float

    @classmethod
    def fitted(
        cls, images: Sequence[np.ndarray], sources: Sequence[str], others: Sequence[np.ndarray] = ()
    ) -> Familiarity:
        """From the windows' features of each training image.

        Limits come from images that the description does not know: each source is left out of it in turn, where enough
        is left, and there are those of other sources. With a single source, halves of its images are left out.

        Args:
            images: (M, D) of each image.
            sources: of each image.
            others: of images of further sources.

        Raises:
            ValueError: the images show too little.
        """
        if not describable(images):
            raise ValueError("too little to describe a training by")
        groups = np.array(sources)
        if len(set(sources)) == 1:
            groups = np.arange(len(images)) % 2
        distance = FeatureDistance.fitted(np.concatenate(images))
        apart = [distance.of(image) for image in others]
        for group in np.unique(groups):
            known = [image for image, own in zip(images, groups, strict=True) if own != group]
            if describable(known):
                without = FeatureDistance.fitted(np.concatenate(known))
                apart += [without.of(image) for image, own in zip(images, groups, strict=True) if own == group]
        like = float(np.quantile(apart or [distance.of(image) for image in images], LIKE))
        return cls(distance, like, FAR * like)

    def level(self, distance: float) -> str:
        """One of `LEVELS`."""
        return LEVELS[int(distance > self.like) + int(distance > self.far)]

    def to_dict(self) -> dict[str, Any]:
        """As a checkpoint keeps it: tensors and numbers."""
        tensors = {name: torch.from_numpy(value.astype(np.float32)) for name, value in vars(self.distance).items()}
        return {**tensors, "like": self.like, "far": self.far}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Familiarity:
        """The one that `to_dict` wrote."""
        arrays = (kept[name].double().numpy() for name in ("mean", "spread", "whitening"))
        return cls(FeatureDistance(*arrays), float(kept["like"]), float(kept["far"]))
