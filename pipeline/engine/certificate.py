"""The seam certificate: does the segmentation of a scan show where it was cut?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from pipeline.engine.prediction import ChunkPredictor
from pipeline.engine.store import PROBABILITY, ScanStore
from pipeline.images.rectangles import Part
from pipeline.networks.inputs import STRIDE
from pipeline.tiling.chunk_plan import ChunkPlan


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


_CROPS = 4
_HALF_SIDE = 128


def certify(predictor: ChunkPredictor, store: ScanStore, threshold: float, seed: int = 0) -> dict[str, Any]:
    """Compare what was written around corners of chunks, where four of them meet, with windows laid around the corner.

    There each pixel lies in the middle of the new window, and at the border of the old ones. Probabilities are
    compared as they are stored, in steps of 1/255. Only corners in rock are taken: others were not sent through the
    network.

    Args:
        predictor: that made the segmentation.
        store: finished.
        threshold: probability from which a pixel is pore.
        seed: of the choice of corners.

    Returns:
        `crops` (how many corners), and of their pixels together: `largest` and `mean` difference of probability,
        `flipped` (share of mask pixels that differ) and `pixels`. `crops` is 0 where no four chunks meet.
    """
    plan = store.plan
    crops: list[Part] = []
    for corner in _corners(plan, seed):
        if predictor.foreground.rock(plan, corner).all():
            crops.append(corner)
        if len(crops) == _CROPS:
            break
    if not crops:
        return {"crops": 0}
    places = [(crop.slice, slice(crop.y, crop.y + crop.height), slice(crop.x, crop.x + crop.width)) for crop in crops]
    stored = np.concatenate([store.read_area(0, PROBABILITY, *place).ravel() / 255 for place in places])
    again = np.concatenate([predictor.predict(crop).ravel() for crop in crops])
    # rounded as in the store, and divided in the same precision
    as_stored = np.rint(again * 255.0).astype(np.float64) / 255
    seam = Seam.between(torch.from_numpy(stored), torch.from_numpy(as_stored), threshold)
    return {"crops": len(crops), **asdict(seam)}


def _corners(plan: ChunkPlan, seed: int) -> Iterator[Part]:
    """Parts around the corners where four chunks meet, in an order drawn at random."""
    depth, rows, columns = plan.grid
    _, height, width = plan.shape
    half = max(STRIDE, min(_HALF_SIDE, plan.chunk // 2 // STRIDE * STRIDE))
    inner = (depth, rows - 1, columns - 1)
    for index in np.random.default_rng(seed).permutation(depth * (rows - 1) * (columns - 1)):
        slice_, row, column = np.unravel_index(index, inner)
        top, left = int(row + 1) * plan.chunk - half, int(column + 1) * plan.chunk - half
        yield Part(int(slice_), top, left, min(2 * half, height - top), min(2 * half, width - left))
