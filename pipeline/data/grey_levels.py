"""Whether pixels are of a mask or of a micrograph, by how many grey levels they have."""

from __future__ import annotations

import numpy as np

#: levels of a mask at most. The micrographs that are known have 58 and more, masks 2 and 3
MOST_OF_A_MASK = 8
#: pixels that show whether it is worth while to look at all
_FIRST = 4096


def few_levels(pixels: np.ndarray) -> np.ndarray | None:
    """The grey levels of an image or a part of one, any shape, in order; None for more than a mask has."""
    flat = pixels.reshape(-1)
    for part in (flat[:: max(1, flat.size // _FIRST)], flat):
        levels = np.unique(part)
        if len(levels) > MOST_OF_A_MASK:
            return None
    return levels
