"""Pixel counts of a pore mask against the truth, of one image or of many, and the scores that follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import torch
from monai.metrics import get_confusion_matrix

_Counts = TypeVar("_Counts", bound="Counts")


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of one image, or pooled over many: they add with ``+``, field by field; what one side lacks, both lack."""

    def __add__(self: _Counts, other: _Counts) -> _Counts:
        pairs = [(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)]
        together: list[Any] = [None if ours is None or theirs is None else ours + theirs for ours, theirs in pairs]
        return type(self)(*together)


def as_masks(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two masks (H, W) as truth values: what is above 0 is pore.

    Raises:
        ValueError: they are not two-dimensional, or of different shape.
    """
    if predicted.ndim != 2 or predicted.shape != truth.shape:
        raise ValueError(f"two masks (H, W) of equal shape are needed, not {predicted.shape} and {truth.shape}")
    return predicted > 0, truth > 0


def ratio(numerator: float, denominator: float, empty: float = math.nan) -> float:
    """A share; `empty` of nothing."""
    return numerator / denominator if denominator else empty


def mutual_f1(predicted_hits: int, predicted: int, true_hits: int, true: int) -> float:
    """Harmonic mean of the shares of both masks that the other one meets.

    Returns:
        0 to 1: 1 where both masks are empty (they agree), 0 where one is or nothing is met.
    """
    if not predicted and not true:
        return 1.0
    if not predicted_hits or not true_hits:
        return 0.0
    precision, recall = predicted_hits / predicted, true_hits / true
    return 2 * precision * recall / (precision + recall)


@dataclass(frozen=True)
class PoreCounts(Counts):
    """Pixels of one image, or pooled over many: counts add with ``+``.

    Scores are NaN where undefined: precision where nothing was called pore, recall where there is none.
    Dice and IoU of two empty masks are 1: they agree.
    """

    true_positive: int = 0
    false_positive: int = 0
    true_negative: int = 0
    false_negative: int = 0

    @classmethod
    def of(cls, predicted: torch.Tensor, truth: torch.Tensor) -> PoreCounts:
        """Count over masks of 0 and 1 of equal shape, any number of dimensions."""
        matrix = get_confusion_matrix(predicted.reshape(1, 1, -1).float(), truth.reshape(1, 1, -1).float())
        return cls(*(int(count) for count in matrix.flatten()))

    @property
    def pixels(self) -> int:
        return self.true_positive + self.false_positive + self.true_negative + self.false_negative

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        wrong = self.false_positive + self.false_negative
        return ratio(2 * self.true_positive, 2 * self.true_positive + wrong, empty=1.0)

    @property
    def dice_of_all_pore(self) -> float:
        """The Dice of calling every pixel pore: the best that a model can have which distinguishes nothing."""
        true = self.true_positive + self.false_negative
        return ratio(2 * true, self.pixels + true, empty=1.0)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), the Jaccard index."""
        union = self.true_positive + self.false_positive + self.false_negative
        return ratio(self.true_positive, union, empty=1.0)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def porosity_true(self) -> float:
        """Pore pixels over all pixels, in the truth."""
        return ratio(self.true_positive + self.false_negative, self.pixels)

    @property
    def porosity_predicted(self) -> float:
        """Pore pixels over all pixels, in the prediction."""
        return ratio(self.true_positive + self.false_positive, self.pixels)

    @property
    def porosity_error(self) -> float:
        """Absolute difference of the two porosities, as published."""
        return abs(self.porosity_predicted - self.porosity_true)

    @property
    def porosity_error_relative(self) -> float:
        """Absolute difference over the true porosity; NaN where there is no pore."""
        true = self.true_positive + self.false_negative
        return ratio(abs(self.false_positive - self.false_negative), true)
