"""An honest labeller, simulated: strokes of a brush inside the phases of a full mask; the rest is unlabelled."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.draw import disk

UNLABELLED = 255
_WIDTH = 3  # px, of a stroke
_LENGTH = 40  # px, at most
_REGION = 128  # px, the side of what is corrected at once
_OF_REGION = 0.1  # share of its pixels that are painted in one round
_TURN = 0.3  # standard deviation of the direction's change with each pixel, in radians


def stroked(label: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """The mask as strokes: thin polylines, each inside one value, all values alike often.

    Args:
        label: values (H, W), below `UNLABELLED`.
        share: of the pixels to be labelled, between 0 and 1.
        generator: of the strokes' places.

    Returns:
        (H, W), uint8: the mask's values in the strokes, `UNLABELLED` elsewhere.
    """
    found = np.full(label.shape, UNLABELLED, np.uint8)
    places = {int(value): np.argwhere(label == value) for value in np.unique(label)}
    wanted = round(share * label.size)
    while (found != UNLABELLED).sum() < wanted:
        value = int(generator.choice(list(places)))
        start = places[value][generator.integers(len(places[value]))]
        _draw(found, label, start.astype(float), wanted, generator)
    return found


def corrected(
    label: np.ndarray, strokes: np.ndarray, wrong: np.ndarray, share: float, generator: np.random.Generator
) -> np.ndarray:
    """Strokes with further ones where a model is wrong, its largest mistakes first.

    Args:
        label: values (H, W) of the full mask.
        strokes: (H, W), so far.
        wrong: (H, W), truth values.
        share: of the pixels to be labelled in all.
        generator: of the strokes' directions, and of further places where no mistake is left.

    Returns:
        (H, W), uint8, as `stroked`.
    """
    found = strokes.copy()
    wanted = round(share * label.size)
    depth = distance_transform_edt(wrong & (found == UNLABELLED))
    while (found != UNLABELLED).sum() < wanted and depth.max() > 0:
        start = np.unravel_index(depth.argmax(), depth.shape)
        _draw(found, label, np.array(start, float), wanted, generator)
        found[start] = label[start]
        depth[max(0, start[0] - _LENGTH) : start[0] + _LENGTH, max(0, start[1] - _LENGTH) : start[1] + _LENGTH] = 0
    if (found != UNLABELLED).sum() < wanted:
        further = stroked(label, share, generator)
        left = (found == UNLABELLED) & (further != UNLABELLED)
        places = np.flatnonzero(left)[: max(0, wanted - int((found != UNLABELLED).sum()))]
        found.ravel()[places] = further.ravel()[places]
    return found


def in_worst_regions(
    label: np.ndarray, strokes: np.ndarray, wrong: np.ndarray, share: float, generator: np.random.Generator
) -> np.ndarray:
    """Strokes with further ones in the regions where a model is most wrong: there as `stroked`, in all values alike.

    Args and returns: as of `corrected`.
    """
    found = strokes.copy()
    wanted = round(share * label.size)
    corners = [(y, x) for y in range(0, label.shape[0], _REGION) for x in range(0, label.shape[1], _REGION)]
    regions = [np.s_[y : y + _REGION, x : x + _REGION] for y, x in corners]
    while (missing := wanted - int((found != UNLABELLED).sum())) > 0:
        for region in sorted(regions, key=lambda region: -int(wrong[region].sum())):
            own = label[region]
            further = stroked(own, min(_OF_REGION, missing / own.size), generator)
            place = found[region]  # a view
            new = (place == UNLABELLED) & (further != UNLABELLED)
            place[new] = further[new]
            missing = wanted - int((found != UNLABELLED).sum())
            if missing <= 0:
                break
    return found


def _draw(found: np.ndarray, label: np.ndarray, place: np.ndarray, wanted: int, generator: np.random.Generator) -> None:
    """One stroke from a place on: as long as it stays inside its value."""
    value = label[tuple(place.astype(int))]
    direction = generator.uniform(0, 2 * np.pi)
    for _ in range(_LENGTH):
        row, column = np.round(place).astype(int)
        inside = 0 <= row < label.shape[0] and 0 <= column < label.shape[1] and label[row, column] == value
        if not inside or (found != UNLABELLED).sum() >= wanted:
            return
        brush = disk((row, column), _WIDTH / 2, shape=label.shape)
        painted = label[brush] == value  # a careful labeller keeps within the lines
        found[brush[0][painted], brush[1][painted]] = value
        direction += generator.normal(0, _TURN)
        place = place + np.array([np.sin(direction), np.cos(direction)])
