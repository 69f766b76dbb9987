"""Porosity against the size of the field: how much of the rock speaks for the whole of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.measure.porosity import slab_thickness

#: relative spread below which a field counts as representative
REPRESENTATIVE = 0.1
#: a field counts where at least this share of it is rock
LEAST_ROCK = 0.5


@dataclass(frozen=True)
class RepresentativeArea:
    """Porosity of the fields of each size; the arrays have one entry for each size.

    Attributes:
        side: of the square fields, px, ascending.
        count: number of fields that lie side by side.
        mean: porosity of them together.
        spread: standard deviation of their porosities.
        low: lowest of them.
        high: highest of them.
    """

    side: np.ndarray
    count: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def representative_side(self) -> float:
        """Smallest side (px) from which on the spread stays below a tenth of the porosity; NaN where none does."""
        with np.errstate(divide="ignore", invalid="ignore"):
            steady = self.spread / self.mean < REPRESENTATIVE
        if not len(steady) or not steady[-1]:
            return float("nan")
        unsteady = np.flatnonzero(~steady)
        return float(self.side[unsteady[-1] + 1 if len(unsteady) else 0])


def representative_area(pore: np.ndarray, rock: np.ndarray, block: int, spacing: float = 1.0) -> RepresentativeArea:
    """Spread of porosity among fields of growing size.

    Fields of one size lie side by side and share no pixel. In a stack they are as thick as wide, or as thick as the
    stack: the same place in the next slice is no other field. Those of which less than half is rock don't count. A size
    needs four fields at least: the spread of fewer says little, and even that of four is known to some 40 % only.

    J. Bear, Dynamics of Fluids in Porous Media (1972), chapter 1 (representative elementary volume); A. J.
    VandenBygaart and R. Protz, Geoderma 89 (1999) 333-346 (representative elementary area of thin sections).

    Args:
        pore: pore pixels of each block of the scan, (slices, rows, columns).
        rock: rock pixels of each block.
        block: side of a block, px.
        spacing: distance of slices over the side of a pixel.
    """
    rows: list[tuple[float, ...]] = []
    step = 1
    while step <= min(pore.shape[1:]):
        thickness = slab_thickness(step * block, spacing, len(pore))
        pores, rocks = _fields(pore, step, thickness), _fields(rock, step, thickness)
        there = rocks >= LEAST_ROCK * (step * block) ** 2 * thickness
        if there.sum() >= 4:
            porosity = pores[there] / rocks[there]
            whole = pores[there].sum() / rocks[there].sum()
            rows.append((step * block, there.sum(), whole, porosity.std(ddof=1), porosity.min(), porosity.max()))
        step = max(step + 1, round(step * 2**0.5))
    columns = np.array(rows, np.float64).reshape(-1, 6).T
    return RepresentativeArea(columns[0].astype(int), columns[1].astype(int), *columns[2:])


def _fields(counts: np.ndarray, step: int, thickness: int) -> np.ndarray:
    """Sums over thickness x step x step blocks; what is left at the far borders is dropped."""
    deep, high, wide = len(counts) // thickness, counts.shape[1] // step, counts.shape[2] // step
    cut = counts[: deep * thickness, : high * step, : wide * step]
    return cut.reshape(deep, thickness, high, step, wide, step).sum((1, 3, 5))
