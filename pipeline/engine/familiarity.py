"""Whether a scan looks like a network's training images: distance of its features from theirs.

The Mahalanobis distance of pooled features of the encoder is a known sign that a network is asked about something that
it has not seen: K. Lee et al., A simple unified framework for detecting out-of-distribution samples and adversarial
attacks, NeurIPS 2018; for segmentation C. González et al., Distance-based detection of out-of-distribution silent
failures for Covid-19 lung lesion segmentation, Medical Image Analysis 82 (2022) 102596. The covariance is shrunk as in
O. Ledoit and M. Wolf, A well-conditioned estimator for large-dimensional covariance matrices, Journal of Multivariate
Analysis 88 (2004) 365. Norms take the contrast out of the encoder's features, so spectrum and distribution of the grey
levels stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from pipeline.networks.inputs import STRIDE

#: side of the windows that are looked at (px, at the network's scale)
WINDOW = 128
#: of the bands of the spectrum: images are smoothed by these (px), and neighbours subtracted
_SMOOTHED = (0.0, 0.7, 1.4, 2.8, 5.6, 11.2)
#: of the distribution of grey levels
_QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
#: windows in a pass
_BATCH = 16
#: an image is like the training where it is no further off than this share of images of left-out sources ...
LIKE = 0.95
#: ... and far off where it is this many times as far as those
FAR = 2.0

LEVELS = ("like", "unlike", "far off")


def windows_of(tiles: np.ndarray, side: int = WINDOW) -> np.ndarray:
    """Windows (M, C, side, side) that lie side by side in tiles (N, C, H, W); smaller tiles are one window each."""
    height, width = (min(side, length) for length in tiles.shape[2:])
    rows, columns = tiles.shape[2] // height, tiles.shape[3] // width
    top, left = ((length - count * one) // 2 for length, count, one in
                 zip(tiles.shape[2:], (rows, columns), (height, width), strict=True))  # fmt: skip
    middle = tiles[:, :, top : top + rows * height, left : left + columns * width]
    cut = middle.reshape(len(tiles), -1, rows, height, columns, width).transpose(0, 2, 4, 1, 3, 5)
    return np.ascontiguousarray(cut.reshape(-1, tiles.shape[1], height, width))


def window_features(network: nn.Module, tiles: np.ndarray, device: torch.device | str = "cpu") -> np.ndarray:
    """Features of the windows of an image.

    Args:
        network: as trained, with `encode`; its norms read each window by itself.
        tiles: parts (N, C, H, W) of one image, normalised, sides of 16 pixels or more.
        device: where the network runs.

    Returns:
        (M, D), a row for each window: means of each channel of the encoder's levels, logarithms of the standard
        deviations of bands of the spectrum, and quantiles of the grey levels.
    """
    windows = windows_of(tiles)
    if min(windows.shape[2:]) < STRIDE:
        raise ValueError(f"windows of {windows.shape[2]} x {windows.shape[3]} pixels are too small for the network")
    pooled = []
    with torch.no_grad():
        for first in range(0, len(windows), _BATCH):
            encoded = network.encode(torch.from_numpy(windows[first : first + _BATCH]).to(device))  # type: ignore[operator]
            levels = [level.float().mean((2, 3)).cpu() for level in (*encoded.skips, encoded.bottleneck)]
            pooled.append(torch.cat(levels, dim=1).numpy())
    return np.concatenate([np.concatenate(pooled), *grey_features(windows[:, 0])], axis=1)


def grey_features(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum (M, 6) and quantiles (M, 7) of the grey levels of windows (M, H, W)."""
    smoothed = [windows if sigma == 0 else gaussian_filter(windows, (0, sigma, sigma)) for sigma in _SMOOTHED]
    bands = [fine - coarse for fine, coarse in pairwise(smoothed)] + smoothed[-1:]
    spectrum = np.log(np.stack([band.std((1, 2)) for band in bands], axis=1) + 1e-3)
    return spectrum, np.quantile(windows, _QUANTILES, axis=(1, 2)).T


def shrunk_covariance(features: np.ndarray) -> np.ndarray:
    """Covariance (D, D) of features (n, D), shrunk towards a multiple of the identity by Ledoit and Wolf's share."""
    count, size = features.shape
    centred = features - features.mean(0)
    sample = centred.T @ centred / count
    scale = np.trace(sample) / size
    spread = ((sample - scale * np.eye(size)) ** 2).sum()
    # mean squared distance of the products of single samples from their mean, without making each product
    noise = ((centred**2).sum(1) ** 2).mean() - (sample**2).sum()
    share = 1.0 if spread == 0 else min(noise / count, spread) / spread
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

        The root of the median over the windows of the squared Mahalanobis distance over D: about 1 for an image of the
        training.
        """
        squared = (((features - self.mean) / self.spread @ self.whitening.T) ** 2).mean(1)
        return float(np.sqrt(np.median(squared)))


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

        Limits come from images that the description does not know: each source is left out of it in turn. With a single
        source, halves of its images are.

        Args:
            images: (M, D) of each image.
            sources: of each image.
            others: of images of further sources, on which the network was not trained.

        Raises:
            ValueError: there is no image.
        """
        if not images:
            raise ValueError("no image to describe a training by")
        groups = np.array(sources)
        if len(set(sources)) == 1:
            groups = np.arange(len(images)) % 2
        distance = FeatureDistance.fitted(np.concatenate(images))
        apart = [distance.of(image) for image in others]
        for group in np.unique(groups):
            known = [image for image, own in zip(images, groups, strict=True) if own != group]
            if known:
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
