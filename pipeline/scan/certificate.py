"""The seam certificate: does the segmentation of a scan show where it was cut?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from pipeline.metrics import Seam
from pipeline.networks.inputs import STRIDE
from pipeline.scan.output import ScanStore
from pipeline.scan.prediction import ChunkPredictor

_CROPS = 4
_HALF_SIDE = 128


def certify(
    predictor: ChunkPredictor,
    store: ScanStore,
    threshold: float,
    usable: Callable[[int, int, int, int], bool] = lambda *_: True,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare what was written around corners of chunks, where four of them meet, with windows laid around the corner.

    There each pixel lies in the middle of the new window, and beside a border of the old ones. Probabilities are
    compared as they are stored, in steps of 1/255.

    Args:
        predictor: that made the segmentation.
        store: finished.
        threshold: probability from which a pixel is pore.
        usable: whether all of a crop (top, left, height, width, in the output) went through the network.
        seed: of the choice of corners.

    Returns:
        `crops` (how many corners), and of their pixels together: `largest` and `mean` difference of probability,
        `flipped` (share of mask pixels that differ) and `pixels`. `crops` is 0 where no four chunks meet.
    """
    plan = predictor.plan
    _, rows, columns = plan.grid
    half = max(STRIDE, min(_HALF_SIDE, plan.chunk // 2 // STRIDE * STRIDE))
    corners = [(row * plan.chunk, column * plan.chunk) for row in range(1, rows) for column in range(1, columns)]
    crops: list[tuple[int, int, int, int]] = []
    for i in np.random.default_rng(seed).permutation(len(corners)):
        top, left = (place - half for place in corners[i])
        crop = (top, left, min(2 * half, plan.shape[1] - top), min(2 * half, plan.shape[2] - left))
        if len(crops) < _CROPS and usable(*crop):
            crops.append(crop)
    stored = [_stored(store, *crop).ravel() for crop in crops]
    again = [_predicted(predictor, *crop).ravel() for crop in crops]
    if not stored:
        return {"crops": 0}
    written, shifted = (torch.from_numpy(np.concatenate(parts)) for parts in (stored, again))
    return {"crops": len(stored), **asdict(Seam.between(written, shifted, threshold))}


def _predicted(predictor: ChunkPredictor, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Probability in stored steps, from one window with the crop in its middle."""
    x, y = predictor.plan.region[:2]
    high, wide = predictor.source.shape
    first_row = max(y + top - predictor.halo, y % STRIDE)
    first_column = max(x + left - predictor.halo, x % STRIDE)
    last_row = min(y + top + height + predictor.halo, high)
    last_column = min(x + left + width + predictor.halo, wide)
    pixels = predictor.source.read(first_row, first_column, last_row - first_row, last_column - first_column)
    with torch.no_grad():
        logits = predictor.network(predictor.normalised(pixels[None]))
    probability = logits[0, 0].float().sigmoid().cpu().numpy()
    inside = probability[y + top - first_row :, x + left - first_column :][:height, :width]
    return np.rint(inside * 255) / 255


def _stored(store: ScanStore, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Probability of a crop that touches four chunks at most, from the finest level."""
    side = store.plan.chunk
    crop = np.empty((height, width))
    for row in range(top // side, (top + height - 1) // side + 1):
        for column in range(left // side, (left + width - 1) // side + 1):
            chunk = store.read(0, 1, (0, row, column)) / 255
            y, x = row * side, column * side
            rows = slice(max(top, y), min(top + height, y + chunk.shape[0]))
            columns = slice(max(left, x), min(left + width, x + chunk.shape[1]))
            crop[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = chunk[
                rows.start - y : rows.stop - y, columns.start - x : columns.stop - x
            ]
    return crop
