"""What is counted over masks: of one image, or pooled over many."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np

_Counts = TypeVar("_Counts", bound="Counts")


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of one image, or pooled over many: they add with ``+``, field by field."""

    def __add__(self: _Counts, other: _Counts) -> _Counts:
        together: list[Any] = [getattr(self, field.name) + getattr(other, field.name) for field in fields(self)]
        return type(self)(*together)


def check_masks(predicted: np.ndarray, truth: np.ndarray) -> None:
    """Check that two masks may be compared pixel by pixel.

    Raises:
        ValueError: they are not two-dimensional, or of different shape.
    """
    if predicted.ndim != 2 or predicted.shape != truth.shape:
        raise ValueError(f"two masks (H, W) of equal shape are needed, not {predicted.shape} and {truth.shape}")
