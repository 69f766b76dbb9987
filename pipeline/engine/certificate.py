"""The seam certificate: does the segmentation of a scan show where it was cut?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from pipeline.engine.prediction import ChunkPredictor
from pipeline.engine.store import PROBABILITY, ScanStore
from pipeline.images.rectangles import Part
from pipeline.networks.inputs import STRIDE
from pipeline.phases import decided
from pipeline.tiling.chunk_plan import ChunkPlan


@dataclass(frozen=True)
class Seam:
    """Disagreement of two probability maps of the same pixels.

    Attributes:
        largest: largest absolute difference of probability.
        mean: mean absolute difference of probability.
        flipped: share of pixels whose mask, or phase, differs.
        pixels: how many pixels were compared.
    """

    largest: float
    mean: float
    flipped: float
    pixels: int

    @classmethod
    def between(cls, first: torch.Tensor, second: torch.Tensor, thresholds: Sequence[float]) -> Seam:
        """Compare two maps of K phases, (K, ...); pixels where either is NaN (not covered) are left out.

        Raises:
            ValueError: different shapes, or no pixel that both cover.
        """
        if first.shape != second.shape:
            raise ValueError(f"two maps of the same pixels are needed, not {tuple(first.shape)}, {tuple(second.shape)}")
        covered = ~(first.isnan() | second.isnan()).any(0)
        if not covered.any():
            raise ValueError("there is no pixel that both maps cover")
        a, b = first[:, covered].double(), second[:, covered].double()
        difference = (a - b).abs()
        flipped = (decided(a.numpy(), thresholds) != decided(b.numpy(), thresholds)).mean()
        return cls(float(difference.max()), float(difference.mean()), float(flipped), int(covered.sum()))


_CROPS = 4
_HALF_SIDE = 128


def certify(predictor: ChunkPredictor, store: ScanStore, thresholds: Sequence[float], seed: int = 0) -> dict[str, Any]:
    """Compare what was written around corners of chunks, where four of them meet, with windows laid around the corner.

    There each pixel lies in the middle of the new window, and at the border of the old ones. Probabilities are
    compared as they are stored, in steps of 1/255. Only corners in rock are taken: others were not sent through the
    network.

    Args:
        predictor: that made the segmentation.
        store: finished.
        thresholds: of each phase, as for `decided`.
        seed: of the choice of corners.

    Returns:
        `crops` (how many corners), and of their pixels together: `largest` and `mean` difference of probability,
        `flipped` (share of pixels whose mask, or phase, differs) and `pixels`. `crops` is 0 where no four chunks meet.
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
    phases = store.channels[PROBABILITY:]
    stored = (
        np.stack([np.concatenate([store.read_area(0, k, *place).ravel() for place in places]) for k in phases]) / 255
    )
    again = np.concatenate([predictor.predict(crop).reshape(len(phases), -1) for crop in crops], axis=1)
    # rounded as in the store, and divided in the same precision
    as_stored = np.rint(again * 255.0).astype(np.float64) / 255
    seam = Seam.between(torch.from_numpy(stored), torch.from_numpy(as_stored), thresholds)
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
