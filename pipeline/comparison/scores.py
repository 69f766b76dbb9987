"""The scores that a comparison shows: what they are called, and which way is better."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One score.

    Attributes:
        name: column of ``per_image.csv``.
        title: for readers.
        higher: whether more is better.
        meaning: one sentence; ``{surface}``, ``{boundary}`` and ``{small_pore}`` stand for the tolerances.
        largest: value that is possible; the smallest is 0.
    """

    name: str
    title: str
    higher: bool
    meaning: str
    largest: float = 1.0


MEASURES = (
    Measure("dice", "Dice", True, "Overlap of predicted and true pores: 2 TP / (2 TP + FP + FN)."),
    Measure("iou", "IoU", True, "TP / (TP + FP + FN), the Jaccard index."),
    Measure("precision", "precision", True, "Share of the predicted pore pixels that are pore."),
    Measure("recall", "recall", True, "Share of the true pore pixels that were found."),
    Measure("porosity_error", "porosity error", False, "|predicted - true porosity|, as a share of the area."),
    Measure(
        "porosity_error_relative",
        "relative porosity error",
        False,
        "Porosity error over the true porosity.",
        math.inf,
    ),
    Measure(
        "surface_dice", "surface Dice", True, "Share of both masks' edge pixels within {surface:g} px of the other."
    ),
    Measure(
        "cl_dice", "clDice", True, "Centreline Dice (Shit et al. 2021): a thin pore counts by its length, not its area."
    ),
    Measure(
        "betti0_error",
        "Betti-0 error",
        False,
        "|predicted - true number of pores| (8-connected); pooled: of all images together.",
        math.inf,
    ),
    *(
        Measure(f"{what}_pores", f"{what} pores", False, f"{meaning}; pooled: sum.", math.inf)
        for what, meaning in {
            "broken": "True pores that two or more predicted ones overlap",
            "merged": "Predicted pores that overlap two or more true ones",
            "missed": "True pores that no predicted one overlaps",
            "spurious": "Predicted pores that overlap no true one",
        }.items()
    ),
    Measure(
        "boundary_f1",
        "boundary F1",
        True,
        "Harmonic mean of the shares of either mask's edge within {boundary:g} px of the other (Csurka et al. 2013).",
    ),
    Measure(
        "small_pore_recall",
        "small-pore recall",
        True,
        "Share of the true pores of at most {small_pore:g} px that were at least half found.",
    ),
    Measure(
        "calibration_error",
        "calibration error",
        False,
        "Expected calibration error of the probability of pore, 15 bins (Guo et al. 2017).",
    ),
    Measure("brier", "Brier score", False, "Mean of (probability - truth)^2 over the pixels."),
)

BY_NAME = {measure.name: measure for measure in MEASURES}
