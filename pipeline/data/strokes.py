"""Labels that were begun with a brush: strokes inside the phases, on a background about which nothing is said.

Strokes are little, thin, and lie inside what they mark, so that the image has the same grey on both sides of their
outlines; a mask's outlines are those of the image. Measured on six public data sets, a stroke and its surroundings
differ by 0.01 to 0.31 standard deviations of the grey beside it (median of a set), thin phases in full masks by 1.1 to
4.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from pipeline.wording import some_of

_MOST_MARKED = 0.15  # share of the pixels
_WIDEST = 16.0  # px from the middle of a stroke to its edge
_LEAST_CONTRAST = 0.5  # standard deviations of the grey beside a stroke
_RING = (3.0, 6.0)  # px from a stroke: behind the blur of an edge
_FEWEST = 30  # pixels: fewer have no mean
_SMALLEST = 64  # px: side of an image in which strokes can be told from structures
_LARGEST = 2048  # px: of a larger image, the block with most strokes is looked at


def looks_like_strokes(image: np.ndarray, label: np.ndarray) -> bool:
    """Whether what a label marks, other than 0, looks like strokes of a brush.

    Args:
        image: Grey values, (H, W).
        label: Label values, (H, W).
    """
    marked = label != 0
    if min(label.shape) < _SMALLEST or not 0 < marked.mean() <= _MOST_MARKED:
        return False
    block = _fullest_block(marked)
    image, label, marked = image[block].astype(np.float32), label[block], marked[block]
    if distance_transform_edt(marked).max() > _WIDEST:
        return False
    distance, nearest = distance_transform_edt(~marked, return_indices=True)
    ring = (distance >= _RING[0]) & (distance <= _RING[1])
    owner = label[tuple(nearest)]
    contrasts = []
    for value in np.unique(label[marked]):
        inside, around = label == value, ring & (owner == value)
        if inside.sum() >= _FEWEST and (spread := float(image[around].std() if around.any() else 0)):
            contrasts.append(abs(float(image[inside].mean() - image[around].mean())) / spread)
    return bool(contrasts) and min(contrasts) < _LEAST_CONTRAST


def _fullest_block(marked: np.ndarray) -> tuple[slice, slice]:
    """The block of a large image that holds most marked pixels; all of a smaller one."""
    corners = [
        (top, left) for top in range(0, marked.shape[0], _LARGEST) for left in range(0, marked.shape[1], _LARGEST)
    ]
    blocks = [(slice(top, top + _LARGEST), slice(left, left + _LARGEST)) for top, left in corners]
    return max(blocks, key=lambda block: int(marked[block].sum()))


def stroke_question(root: Path, strokes: Sequence[Path], marked: int, share: float) -> str:
    """What to ask of a data set whose labels look like strokes; empty where too few of them do.

    Args:
        root: The data set's folder.
        strokes: Labels that look so.
        marked: Number of labels that mark anything.
        share: Of the pixels that these mark, 0 to 1.
    """
    if 2 * len(strokes) < marked or not strokes:
        return ""
    return (
        f"{root}: {len(strokes)} of {marked} labels look like strokes on a background of 0, not like whole masks: "
        f"{100 * share:.2g} % of the pixels are marked, in thin lines with the same grey beside them, such as in "
        f"{some_of([path.name for path in strokes], 2)}. Is nothing known about the pixels of value 0? Then give "
        "--unlabelled 0. Are they none of the phases? Then give --unlabelled none. vlsenet prepare remembers the answer"
    )
