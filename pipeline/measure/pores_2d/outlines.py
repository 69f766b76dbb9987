"""The outlines of pores as polygons, of which other programs draw and edit each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
from skimage.measure import approximate_polygon, find_contours

from pipeline.measure.pixel_runs import PlacedRuns

#: of the box around a pore that is traced (px)
MOST_PIXELS = 1 << 26


class Outline(NamedTuple):
    """The outline of one pore.

    Attributes:
        number: of its row in the table.
        slice: of the scan, from 0.
        rings: corners (N, 2) of closed polygons, x and y in the scan (px), counted from the outer corner of the first
            pixel; the last corner is the first. The first ring is the outer one, the others are holes.
    """

    number: int
    slice: int
    rings: list[np.ndarray]


def outlines_of(
    runs: PlacedRuns,
    slice_: int,
    width: int,
    origin: tuple[int, int],
    numbers: Collection[int],
    tolerance_px: float,
) -> Iterator[Outline]:
    """The outlines of some pores of a slice, in ascending order.

    A line runs half-way between the pixels of a pore and those around it, and cuts corners by an eighth of a pixel:
    unsimplified, it holds the centres of exactly the pore's pixels.

    Args:
        runs: of the slice, with the numbers of the pores as owners.
        slice_: its number.
        width: of the slice (px).
        origin: x and y of the segmented region in the scan (px).
        numbers: of the pores that are traced; one whose box has more than `MOST_PIXELS` is left out.
        tolerance_px: how far a simplified line may leave the true one (px); 0: not simplified.
    """
    chosen = np.isin(runs.owner, np.fromiter(numbers, np.int64, len(numbers)))
    begin, end, owner = (values[chosen] for values in runs)
    order = np.argsort(owner, kind="stable")
    begin, end, owner = begin[order], end[order], owner[order]
    if not len(owner):
        return
    starts = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    step = width + 2
    for first, last in zip(starts, np.append(starts[1:], len(owner)), strict=True):
        row, start = np.divmod(begin[first:last], step)
        stop = end[first:last] - row * step
        top, left = int(row[0]), int(start.min())
        height, across = int(row[-1]) - top + 1, int(stop.max()) - left
        if height * across > MOST_PIXELS:
            continue
        mask = np.zeros((height + 2, across + 2), bool)
        for y, a, b in zip(
            (row - top + 1).tolist(), (start - left + 1).tolist(), (stop - left + 1).tolist(), strict=True
        ):
            mask[y, a:b] = True
        corner = np.array([origin[0] + left, origin[1] + top]) - 0.5
        yield Outline(int(owner[first]), slice_, [ring + corner for ring in _rings(mask, tolerance_px)])


def _rings(mask: np.ndarray, tolerance_px: float) -> list[np.ndarray]:
    """Closed polygons (N, 2), x and y, around the one connected part of a mask, the outer one first."""
    found = find_contours(mask.view(np.uint8), 0.5, fully_connected="high")
    rings = [_simplified(ring, tolerance_px)[:, ::-1] for ring in found]
    # the outer ring is the one that reaches the box on all sides
    return sorted(rings, key=lambda ring: -np.prod(np.ptp(ring, axis=0)))


def _simplified(ring: np.ndarray, tolerance_px: float) -> np.ndarray:
    simple = approximate_polygon(ring, tolerance_px) if tolerance_px else ring
    return simple if len(simple) >= 4 else ring  # what is left of a small pore is no polygon
