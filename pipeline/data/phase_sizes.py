"""How thick the objects of each phase are, and how large the images: whether a patch shows an object whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil

import numpy as np
from scipy.ndimage import distance_transform_edt

from pipeline.data.samples import Sample

#: side of the cells in which objects are measured (px): what fills less than half of one, such as a crack through a
#: layer, is not seen
CELL = 8
#: cells along the longer side of an image at most; those of a larger one are larger
_MOST_CELLS = 512
#: images of a data set that are looked at: this many, or fewer where they have more cells together
_IMAGES, _FEWEST_IMAGES, _CELLS_TOGETHER = 48, 4, 1_000_000
#: among which the thickness is found (px)
_THICKNESSES = tuple(round(CELL * 2 ** (step / 4)) for step in range(33))


@dataclass(frozen=True)
class PhaseSizes:
    """Of one data set.

    Attributes:
        dataset: its name, empty where there is only one.
        side: of its images, as of a square of the same area, the median (px).
        thickness: by phase, the typical thickness of its objects (px), no larger than an image; 0 for what is nowhere
            as wide as a cell. Half of the phase's area lies in places at least as thick.
    """

    dataset: str
    side: float
    thickness: dict[str, float]


def phase_sizes(samples: Sequence[Sample]) -> list[PhaseSizes]:
    """Measure the objects of all phases in the labels of samples, one data set after the other."""
    return [_of_one(name, list(own)) for name, own in groupby(samples, lambda sample: sample.dataset)]


def _of_one(dataset: str, samples: Sequence[Sample]) -> PhaseSizes:
    names = samples[0].values.names
    side = float(np.median([np.sqrt(sample.pixels) for sample in samples]))
    cells = min(side / CELL, _MOST_CELLS) ** 2
    wanted = min(_IMAGES, max(_FEWEST_IMAGES, _CELLS_TOGETHER // cells))
    thick, area = np.zeros((len(names), len(_THICKNESSES))), np.zeros(len(names))
    for sample in samples[:: ceil(len(samples) / wanted)]:
        for number, (own, total) in enumerate(_areas(sample.read_codes(names), len(names))):
            thick[number] += own
            area[number] += total
    typical = [min(side, _typical(*found)) for found in zip(thick, area, strict=True)]
    return PhaseSizes(dataset, side, dict(zip(names, typical, strict=True)))


def _typical(thick: np.ndarray, area: float) -> float:
    """The largest thickness (px) such that half of the area lies in places at least as thick."""
    reaching = np.flatnonzero(thick >= max(area, 1) / 2)
    return float(_THICKNESSES[reaching[-1]]) if len(reaching) else 0.0


def _areas(codes: np.ndarray, phases: int) -> Iterator[tuple[np.ndarray, float]]:
    """Of each phase in an image (H, W) of codes, its area where it is at least as thick as each of `_THICKNESSES`, and
    all of its area (px). What is not labelled is of no phase: strokes in an unlabelled image are no layers."""
    cell = CELL * ceil(max(codes.shape) / (CELL * _MOST_CELLS))
    for number in range(1, phases + 1):
        mask = codes == number
        filled = _cell_sums(mask, cell)
        object_ = filled > _cell_sums(np.ones_like(mask), cell) / 2
        yield np.array([filled[places].sum() for places in _openings(object_, cell)]), float(filled.sum())


def _cell_sums(mask: np.ndarray, cell: int) -> np.ndarray:
    """Pixels in each cell of (H, W), of which the last ones end with the image."""
    rows, columns = (np.arange(0, side, cell) for side in mask.shape)
    return np.asarray(np.add.reduceat(np.add.reduceat(mask, rows, axis=0, dtype=np.int64), columns, axis=1))


def _openings(object_: np.ndarray, cell: int) -> Iterator[np.ndarray]:
    """The cells of an object (h, w) that discs of each diameter of `_THICKNESSES` cover which lie in it.

    An object that the image's border cuts is taken to go on beyond it.
    """
    if object_.all():
        yield from (object_ for _ in _THICKNESSES)
        return
    # the middle of an odd number of cells is one of them, and that of an even number lies between two
    to_border = (distance_transform_edt(object_) - 0.25) * cell
    for thickness in _THICKNESSES:
        middles = to_border >= thickness / 2
        if middles.any():
            middles = distance_transform_edt(~middles) * cell <= thickness / 2
        yield np.asarray(middles)
