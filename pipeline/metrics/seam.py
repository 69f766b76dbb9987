"""How much two tilings of the same scan disagree."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Seam:
    """Disagreement of two probability maps of the same pixels.

    Attributes:
        largest: largest absolute difference of probability.
        mean: mean absolute difference of probability.
        flipped: share of pixels whose mask differs.
        pixels: how many pixels were compared.
    """

    largest: float
    mean: float
    flipped: float
    pixels: int

    @classmethod
    def between(cls, first: torch.Tensor, second: torch.Tensor, threshold: float) -> Seam:
        """Compare two maps, of any one shape; pixels where either is NaN (not covered) are left out.

        Raises:
            ValueError: different shapes, or no pixel that both cover.
        """
        if first.shape != second.shape:
            raise ValueError(f"two maps of the same pixels are needed, not {tuple(first.shape)}, {tuple(second.shape)}")
        covered = ~(first.isnan() | second.isnan())
        if not covered.any():
            raise ValueError("there is no pixel that both maps cover")
        a, b = first[covered].double(), second[covered].double()
        difference = (a - b).abs()
        flipped = ((a >= threshold) != (b >= threshold)).double().mean()
        return cls(float(difference.max()), float(difference.mean()), float(flipped), int(covered.sum()))
