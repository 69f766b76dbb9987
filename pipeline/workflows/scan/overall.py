"""One figure of all scans of a folder: the area fraction of each phase, weighted by area, with its interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t

from pipeline.measure.model_error import CONFIDENCE
from pipeline.report.units import percent, percent_range

#: how far scans are from the training that may not be known to the model
_NOT_KNOWN = {"unlike": "unlike", "far off": "far off from"}
#: in the table and on the page, of what the interval is
INTERVAL = "from scan to scan"
#: scans without an interval: two of 8 and 12 % would have one of 0 to 35 %, by Student's t of 12.7
_TOO_FEW = 2


@dataclass(frozen=True)
class OverallFraction:
    """Of one phase.

    Attributes:
        name: its column: `porosity`, or the phase.
        fraction: its area over that of rock, of all scans together.
        interval: 95 %, from scan to scan; None of two scans, which say next to nothing about how scans differ.
        scans: number of scans.
        by: what they are weighted by.
        rock_pixels: of all.
    """

    name: str
    fraction: float
    interval: tuple[float, float] | None
    scans: int
    by: str
    rock_pixels: int

    @property
    def said(self) -> str:
        """In a few words."""
        kind = f"{percent(CONFIDENCE, 2)} interval {INTERVAL}"
        if self.interval is None:
            ends = f"no {kind}, which takes three scans or more"
        else:
            ends = f"{kind} {percent_range(*self.interval)}"
        return (
            f"{self.name} of all {self.scans} scans together {percent(self.fraction)}, weighted by {self.by} ({ends})"
        )


def overall_fractions(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[OverallFraction]:
    """Of each phase, from the rows of `scans.csv` of segmented scans; empty with fewer than two that show rock.

    Args:
        rows: with `rock_pixels`, `pixel_size_nm` and the area fraction of each phase.
        names: columns of the area fractions.
    """
    rows = [row for row in rows if row.get("rock_pixels")]
    if len(rows) < 2:
        return []
    rock, by = _weights(rows)
    pixels = sum(int(row["rock_pixels"]) for row in rows)
    found = []
    for name in names:
        phase = rock * np.array([float(row[name]) for row in rows])
        interval = ratio_interval(phase, rock) if len(rows) > _TOO_FEW else None
        found.append(OverallFraction(name, phase.sum() / rock.sum(), interval, len(rows), by, pixels))
    return found


def cautions_of(rows: Sequence[Mapping[str, Any]], may_be_slices: bool) -> list[str]:
    """What to know before one uses the figures of all scans; sentences without their full stops.

    Args:
        rows: of the scans that were segmented, with `familiarity`.
        may_be_slices: whether they look like the slices of one volume.
    """
    found = []
    levels = Counter(row.get("familiarity") for row in rows)
    counts = [f"{levels[level]} {said}" for level, said in _NOT_KNOWN.items() if levels[level]]
    if counts:
        found.append(
            f"not known to the model: {' and '.join(counts)} the training images, of {len(rows)} scans; how wrong it "
            "is on them nobody measured, so check their overlays before you use this figure"
        )
    if may_be_slices:
        found.append(
            "if these are the slices of one volume, the interval is too narrow, as neighbours show the same rock: "
            "segment them with --stack"
        )
    return found


def _weights(rows: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, str]:
    """The rock of each scan: its area where all pixel sizes are known, else its pixels; and which of these it is."""
    pixels = np.array([float(row["rock_pixels"]) for row in rows])
    sizes = [row.get("pixel_size_nm") for row in rows]
    if all(size is not None for size in sizes):
        return pixels * np.array(sizes, np.float64) ** 2, "area of rock"
    return pixels, "pixels of rock, as not all pixel sizes are known" if any(sizes) else "pixels of rock"


def ratio_interval(part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of sum(part) / sum(whole) of n units that were drawn at random, within 0 to 1.

    The ratio estimator, whose variance is that of the residuals part_i - r whole_i over n and the squared mean of the
    wholes, with Student's t for n - 1: a bootstrap of a few units makes intervals that are too narrow. W. G. Cochran,
    Sampling Techniques, 3rd edition (1977), chapter 6.

    Args:
        part: of each unit, (n,), n >= 2.
        whole: of each, (n,), positive.
    """
    ratio, number = part.sum() / whole.sum(), len(part)
    error = np.std(part - ratio * whole, ddof=1) / np.sqrt(number) / whole.mean()
    half = t.ppf((1 + CONFIDENCE) / 2, number - 1) * error
    return max(0.0, float(ratio - half)), min(1.0, float(ratio + half))
