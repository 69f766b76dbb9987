"""Pictures to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.atomic import atomic_path


def write_png(path: str | Path, rgb: np.ndarray) -> None:
    """Write an 8-bit picture as PNG, atomically.

    Args:
        path: the file; its folder is made if missing.
        rgb: (H, W, 3) colour or (H, W) grey, uint8.

    Raises:
        ValueError: another shape or type, or a name that does not end in `.png`.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path}: a PNG file ends in .png")
    if rgb.dtype != np.uint8 or not (rgb.ndim == 2 or (rgb.ndim == 3 and rgb.shape[2] == 3)):
        raise ValueError(f"a picture is (H, W) or (H, W, 3) of uint8, not {rgb.shape} of {rgb.dtype}")
    with atomic_path(path) as temporary:
        Image.fromarray(rgb).save(temporary)
