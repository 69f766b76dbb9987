"""The six faces of a stack's segmented region, and which pores reach them."""

from __future__ import annotations

import numpy as np

#: by name: what it is
FACES = {
    "x_min": "whether it reaches the first column of the segmented region",
    "x_max": "whether it reaches the last column",
    "y_min": "whether it reaches the first row",
    "y_max": "whether it reaches the last row",
    "z_min": "whether it reaches the first slice",
    "z_max": "whether it reaches the last slice",
}


def touched(records: np.ndarray, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Which pores reach each face, boolean (N,), in the order of `FACES`.

    Args:
        records: `RECORD` (N,).
        shape: slices, rows and columns of what is imaged.
    """
    last = dict(zip("zyx", (side - 1 for side in shape), strict=True))
    reached = {}
    for face in FACES:
        axis, end = face.split("_")
        reached[face] = records[f"{end}_{axis}"] == (0 if end == "min" else last[axis])
    return reached
