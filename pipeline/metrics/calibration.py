"""Whether a probability of pore means what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.metrics.pore_counts import Counts, ratio

#: bins of equal width, as Guo et al. have
BINS = 15


@dataclass(frozen=True, eq=False)
class Calibration(Counts):
    """Pixels by their probability, of one image or pooled over many: it adds with ``+``.

    MONAI's ``calibration_binning`` sums in single precision, which no longer counts one by one from 16 million pixels
    on: these sums are exact enough for any scan.

    Attributes:
        pixels: pixels in each bin, (15,); bin k holds probabilities from k / 15 to below (k + 1) / 15, the last 1 too.
        pores: of those, true pores, (15,).
        probability: sum of their probabilities, (15,).
        squared_error: sum of (probability - truth)^2 over all pixels.
    """

    pixels: np.ndarray
    pores: np.ndarray
    probability: np.ndarray
    squared_error: float

    @classmethod
    def of(cls, probability: np.ndarray, truth: np.ndarray) -> Calibration:
        """Count over a probability map (0 to 1) and a mask of equal shape; what is above 0 in the mask is pore.

        Raises:
            ValueError: of different shape.
        """
        if probability.shape != truth.shape:
            raise ValueError(f"the probabilities are {probability.shape}, but the mask {truth.shape}")
        values, pore = probability.ravel().astype(np.float64), truth.ravel() > 0
        # single precision, as probabilities are
        bins = np.minimum((probability.ravel().astype(np.float32) * np.float32(BINS)).astype(np.int64), BINS - 1)
        return cls(
            np.bincount(bins, minlength=BINS),
            np.bincount(bins[pore], minlength=BINS),
            np.bincount(bins, weights=values, minlength=BINS),
            float(np.square(values - pore).sum()),
        )

    @property
    def mean_probability(self) -> np.ndarray:
        """Mean probability in each bin, (15,); NaN in an empty one."""
        return _per_bin(self.probability, self.pixels)

    @property
    def pore_share(self) -> np.ndarray:
        """Share of true pores in each bin, (15,); NaN in an empty one."""
        return _per_bin(self.pores, self.pixels)

    @property
    def expected_calibration_error(self) -> float:
        """Mean over the pixels of their bin's |mean probability - share of pores|; NaN without pixels.

        Guo et al., "On calibration of modern neural networks", ICML 2017, for the probability of one class.
        """
        return ratio(float(np.abs(self.probability - self.pores).sum()), int(self.pixels.sum()))

    @property
    def brier(self) -> float:
        """Mean of (probability - truth)^2 over the pixels (Brier 1950); NaN without pixels."""
        return ratio(self.squared_error, int(self.pixels.sum()))


def _per_bin(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0)
