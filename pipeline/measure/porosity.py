"""Porosity of a scan, of its fields of view, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from pipeline.engine.block_counts import BlockCounts
from pipeline.measure.model_error import CONFIDENCE, ModelError
from pipeline.tiling.chunk_plan import ChunkPlan


def slab_thickness(side: int, spacing: float, depth: int) -> int:
    """Slices that a slab as thick as it is wide takes, at least one and at most all.

    Args:
        side: of the slab, pixels.
        spacing: distance of slices over the side of a pixel.
        depth: slices of the stack.
    """
    return int(np.clip(round(side / spacing), 1, depth))


def slab_sums(counts: np.ndarray, thickness: int) -> np.ndarray:
    """Sums of counts (slices, rows, columns) over slabs of so many slices; the last may hold fewer."""
    return np.add.reduceat(counts, np.arange(0, len(counts), thickness), axis=0)


#: with fewer fields than this, the ends of an interval are rough estimates
FEW_FIELDS = 30
#: draws of the bootstrap, of which `CONFIDENCE` lie within the interval
DRAWS = 2000
#: why there is no model's error, where a model says nothing of it
NO_VALIDATION = "the model's own error is not known, as it was validated on fewer than two other micrographs"


@dataclass(frozen=True)
class Porosity:
    """Porosity of a scan.

    Attributes:
        porosity: pore pixels over rock pixels (rock includes its pores); NaN where there is no rock.
        low: lower end of the 95 % interval from field to field; NaN with fewer than two fields that hold rock.
        high: its upper end.
        fields: porosity of each field of view (slices, rows, columns); NaN where a field holds no rock.
        field_rock: rock pixels of each field.
        field: side of a field of view, pixels.
        pore: pore pixels of the scan.
        rock: rock pixels of the scan.
        spacing: distance of slices over the side of a pixel.
        model_error: the model's own, on micrographs that it had not seen; None where it is not known ...
        why_none: ... for this reason.
    """

    porosity: float
    low: float
    high: float
    fields: np.ndarray
    field_rock: np.ndarray
    field: int
    pore: int
    rock: int
    spacing: float = 1.0
    model_error: ModelError | None = None
    why_none: str = NO_VALIDATION

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval: of sampling and model together where its error is known, or of sampling alone; NaN: none."""
        if self.model_error is None or not np.isfinite(self.porosity):
            return self.low, self.high
        return self.model_error.interval(self.porosity, self.low, self.high)

    @property
    def thickness(self) -> int:
        """Slices that are drawn together for the interval: a field is as thick as it is wide, where the stack is."""
        return slab_thickness(self.field, self.spacing, len(self.fields))

    @property
    def drawn(self) -> int:
        """Number of fields with rock that the interval was drawn from."""
        return int((slab_sums(np.isfinite(self.fields).astype(int), self.thickness) > 0).sum())

    def __str__(self) -> str:
        low, high = self.interval
        fields = f"{self.low:.4f} to {self.high:.4f}" if np.isfinite(self.low) else ""
        if not np.isfinite(low):
            return f"{self.porosity:.4f} (no interval: fewer than two fields hold rock)"
        if self.model_error is None:
            return f"{self.porosity:.4f} (95 % interval of sampling alone {fields}: {self.why_none})"
        parts = f"; from field to field {fields}" if fields else ""
        return f"{self.porosity:.4f} (95 % interval {low:.4f} to {high:.4f} with the model's own error{parts})"


def measure_porosity(plan: ChunkPlan, entries: Mapping[int, BlockCounts], spacing: float = 1.0) -> Porosity:
    """Porosity from the journal's counts; no pixel is read again.

    Args:
        plan: the chunks.
        entries: of all chunks (`Journal.entries`).
        spacing: distance of slices over the side of a pixel.

    Raises:
        ValueError: chunks are missing.
    """
    field = field_side(plan, spacing)
    pore, rock = block_counts(plan, entries)
    pore, rock = _in_fields(pore, field // plan.block), _in_fields(rock, field // plan.block)
    thickness = slab_thickness(field, spacing, plan.shape[0])
    # the same place in the next slice is no other rock
    low, high = bootstrap_interval(slab_sums(pore, thickness), slab_sums(rock, thickness))
    total_pore, total_rock = int(pore.sum()), int(rock.sum())
    whole = total_pore / total_rock if total_rock else float("nan")
    return Porosity(whole, low, high, porosity_map(pore, rock), rock, field, total_pore, total_rock, spacing)


def field_side(plan: ChunkPlan, spacing: float = 1.0) -> int:
    """Side of a field of view, pixels: the block, doubled as long as the scan holds at least 30 fields.

    Fields as large as can be, as neighbouring pixels are alike; as many as an interval takes to mean something. In a
    stack they are as thick as wide.

    Args:
        plan: the chunks.
        spacing: distance of slices over the side of a pixel.
    """
    depth, height, width = plan.shape

    def fields(side: int) -> int:
        return depth // slab_thickness(side, spacing, depth) * (height // side) * (width // side)

    side = plan.block
    while fields(2 * side) >= FEW_FIELDS:
        side *= 2
    return side


def block_counts(plan: ChunkPlan, entries: Mapping[int, BlockCounts]) -> BlockCounts:
    """Pore and rock pixels of each block of the scan, (slices, rows, columns) each.

    Raises:
        ValueError: chunks are missing.
    """
    if missing := len(plan) - len(entries):
        raise ValueError(f"{missing} of {len(plan)} chunks are not finished")
    depth, height, width = plan.shape
    shape = (depth, ceil(height / plan.block), ceil(width / plan.block))
    pore, rock = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for index, counts in entries.items():
        chunk = plan[index]
        rows, columns = counts.pore.shape
        y, x = chunk.y // plan.block, chunk.x // plan.block
        pore[chunk.slice, y : y + rows, x : x + columns] = counts.pore
        rock[chunk.slice, y : y + rows, x : x + columns] = counts.rock
    return BlockCounts(pore, rock)


def porosity_map(pore: np.ndarray, rock: np.ndarray) -> np.ndarray:
    """Pore over rock of each field, of the same shape; NaN where there is no rock."""
    return np.divide(pore, rock, out=np.full(pore.shape, np.nan), where=rock > 0)


def bootstrap_interval(pore: np.ndarray, rock: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of porosity, by a block bootstrap over fields of view.

    Pixels are no independent samples: their neighbours show the same pore. So whole fields are drawn, n of the n with
    replacement, and each draw b gives porosity as a ratio of sums,

        phi_b = sum_i pore_i / sum_i rock_i over the fields i of the draw,

    of which the 2.5 % and 97.5 % quantiles are the ends; the draws are the same each time. Fields should be larger than
    the distance over which porosity is alike; smaller ones make the interval too narrow. It speaks of the spread within
    this scan, not of the network's errors.

    B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile interval), section
    8.6 (blocks of data that depend on each other; there they move, here they are a grid).

    Args:
        pore: pore pixels of each field, any shape.
        rock: rock pixels of each field, of the same shape; fields without rock are left out.

    Returns:
        Lower and upper end; NaN with fewer than two fields.
    """
    there = rock > 0
    pore, rock = pore[there].astype(np.float64), rock[there].astype(np.float64)
    count = len(rock)
    if count < 2:
        return float("nan"), float("nan")
    random = np.random.default_rng(0)
    draws = np.empty(DRAWS)
    for draw in range(DRAWS):  # one at a time: all at once would take memory with the size of the scan
        chosen = random.integers(0, count, count)
        draws[draw] = pore[chosen].sum() / rock[chosen].sum()
    low, high = np.quantile(draws, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return float(low), float(high)


def _in_fields(counts: np.ndarray, blocks: int) -> np.ndarray:
    """Sums of blocks x blocks counts, (slices, rows, columns); the fields at the edge may hold fewer."""
    rows = np.add.reduceat(counts, np.arange(0, counts.shape[1], blocks), axis=1)
    return np.add.reduceat(rows, np.arange(0, counts.shape[2], blocks), axis=2)
