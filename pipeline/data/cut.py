"""One labelled micrograph, cut into parts for training and validation with a gap between them.

The parts lie side by side, so that the validation sees other grains and pores, but the same rock, polished and imaged
at once: its scores say little on another micrograph, and everything that comes of it has to say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

import numpy as np

from pipeline.data.splits import SourceSize
from pipeline.errors import UserError
from pipeline.images.rectangles import Roi
from pipeline.phases import UNLABELLED

#: px: a structure that is cut by one part's border does not reach the other; a share of the side for large images
_LEAST_GAP, _GAP = 16, 0.04
#: px: a shorter part holds too little to learn or to score
LEAST_SIDE = 32


def cut_parts(codes: np.ndarray, phases: int, fractions: Mapping[str, float]) -> dict[str, Roi]:
    """Divide a micrograph into one part for each split.

    Of all orders along both sides, the one is taken whose parts come nearest to the wanted shares of labelled pixels
    and to the whole micrograph's areas of phases.

    Args:
        codes: Of its label, (H, W), as `LabelValues.codes` gives them.
        phases: Number of phases.
        fractions: Share of the labelled pixels wanted for each split; they are taken relative to their sum.

    Returns:
        The part of each split with a fraction above 0.

    Raises:
        UserError: It is too small, or its labelled pixels lie so that a part would hold none.
    """
    wanted = {split: share / sum(fractions.values()) for split, share in fractions.items() if share > 0}
    whole = _size(codes, phases)
    best: dict[str, Roi] = {}
    least = float("inf")
    for parts in _divisions(codes, wanted):
        sizes = {split: _size(codes[_slices(part)], phases) for split, part in parts.items()}
        cost = sum(_cost(sizes[split], whole, share) for split, share in wanted.items())
        if all(size.pixels for size in sizes.values()) and cost < least:
            best, least = parts, cost
    if not best:
        raise UserError(
            f"the only micrograph is {codes.shape[1]}x{codes.shape[0]} pixels, or labelled in too small a part, to be "
            f"cut into parts for {' and '.join(wanted)}; label another micrograph, or more of this one"
        )
    return best


def _divisions(codes: np.ndarray, wanted: Mapping[str, float]) -> Iterator[dict[str, Roi]]:
    height, width = codes.shape
    for axis, side in enumerate((height, width)):
        gap = max(_LEAST_GAP, round(_GAP * side))
        labelled = (codes != UNLABELLED).sum(axis=1 - axis)
        for order in permutations(wanted):
            starts, ends = _borders(labelled, [wanted[split] for split in order], gap)
            if min(end - start for start, end in zip(starts, ends, strict=True)) < LEAST_SIDE:
                continue
            spans = zip(order, starts, ends, strict=True)
            yield {split: Roi(0, a, width, b - a) if axis == 0 else Roi(a, 0, b - a, height) for split, a, b in spans}


def _borders(labelled: np.ndarray, shares: Sequence[float], gap: int) -> tuple[list[int], list[int]]:
    """Where the parts start and end, with gaps between them, so that they have their shares of the labelled pixels."""
    total = np.cumsum(labelled)
    middles = [int(np.searchsorted(total, share * total[-1])) for share in np.cumsum(shares)[:-1]]
    ends = [middle - gap // 2 for middle in middles]
    return [0, *(end + gap for end in ends)], [*ends, len(labelled)]


def _slices(part: Roi) -> tuple[slice, slice]:
    return slice(part.y, part.y + part.height), slice(part.x, part.x + part.width)


def _size(codes: np.ndarray, phases: int) -> SourceSize:
    counts = np.bincount(codes.ravel(), minlength=UNLABELLED + 1)
    return SourceSize(int(counts[:UNLABELLED].sum()), tuple(int(count) for count in counts[1 : phases + 1]))


def _cost(size: SourceSize, whole: SourceSize, share: float) -> float:
    """How far a part is from its share of the labelled pixels and from the whole's areas, relative to each."""
    cost = (size.pixels / whole.pixels / share - 1) ** 2
    for phase, pixels in enumerate(whole.phase_pixels):
        if pixels:
            cost += (size.area(phase) / whole.area(phase) - 1) ** 2 / len(whole.phase_pixels)
    return cost
