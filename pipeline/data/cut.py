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
    along = [_counts(codes, phases, axis) for axis in (0, 1)]
    whole = _size(along[0])
    best: dict[str, Roi] = {}
    least = float("inf")
    for axis, spans in _divisions(along, wanted):
        sizes = {split: _size(along[axis][start:end]) for split, (start, end) in spans.items()}
        cost = sum(_cost(sizes[split], whole, share) for split, share in wanted.items())
        if all(size.pixels for size in sizes.values()) and cost < least:
            best, least = {split: _part(codes.shape, axis, *span) for split, span in spans.items()}, cost
    if not best:
        raise UserError(
            f"the only micrograph is {codes.shape[1]}x{codes.shape[0]} pixels, or labelled in too small a part, to be "
            f"cut into parts for {' and '.join(wanted)}; label another micrograph, or more of this one"
        )
    return best


def _counts(codes: np.ndarray, phases: int, axis: int) -> np.ndarray:
    """In each row (axis 0) or column (axis 1), (side, 1 + phases): labelled pixels, and those of each phase."""
    labelled = np.count_nonzero(codes != UNLABELLED, axis=1 - axis)
    each = [np.count_nonzero(codes == number, axis=1 - axis) for number in range(1, phases + 1)]
    return np.stack([labelled, *each], axis=1)


def _divisions(
    along: Sequence[np.ndarray], wanted: Mapping[str, float]
) -> Iterator[tuple[int, dict[str, tuple[int, int]]]]:
    """Axes, and where the parts of the splits start and end along them."""
    for axis, counts in enumerate(along):
        side = len(counts)
        gap = max(_LEAST_GAP, round(_GAP * side))
        for order in permutations(wanted):
            starts, ends = _borders(counts[:, 0], [wanted[split] for split in order], gap)
            if min(end - start for start, end in zip(starts, ends, strict=True)) < LEAST_SIDE:
                continue
            yield axis, dict(zip(order, zip(starts, ends, strict=True), strict=True))


def _borders(labelled: np.ndarray, shares: Sequence[float], gap: int) -> tuple[list[int], list[int]]:
    """Where the parts start and end, with gaps between them, so that they have their shares of the labelled pixels."""
    total = np.cumsum(labelled)
    middles = [int(np.searchsorted(total, share * total[-1])) for share in np.cumsum(shares)[:-1]]
    ends = [middle - gap // 2 for middle in middles]
    return [0, *(end + gap for end in ends)], [*ends, len(labelled)]


def _part(shape: tuple[int, ...], axis: int, start: int, end: int) -> Roi:
    height, width = shape
    return Roi(0, start, width, end - start) if axis == 0 else Roi(start, 0, end - start, height)


def _size(counts: np.ndarray) -> SourceSize:
    labelled, *phases = (int(count) for count in counts.sum(axis=0))
    return SourceSize(labelled, tuple(phases))


def _cost(size: SourceSize, whole: SourceSize, share: float) -> float:
    """How far a part is from its share of the labelled pixels and from the whole's areas, relative to each."""
    cost = (size.pixels / whole.pixels / share - 1) ** 2
    for phase, pixels in enumerate(whole.phase_pixels):
        if pixels:
            cost += (size.area(phase) / whole.area(phase) - 1) ** 2 / len(whole.phase_pixels)
    return cost
