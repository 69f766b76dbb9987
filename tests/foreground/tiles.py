"""The tiles that stand for a scan's rock, as the engine takes them."""

from __future__ import annotations

import numpy as np

from pipeline.engine.pinned_network import rock_places, tiles_at
from pipeline.foreground.measurement import Foreground
from pipeline.images.volume import ScanVolume
from pipeline.tiling.windows import Windows


def rock_tiles(volume: ScanVolume, windows: Windows, foreground: Foreground, side: int, count: int) -> np.ndarray:
    """Tiles (N, C, H, W) at `rock_places`."""
    return tiles_at(volume, windows, foreground, rock_places(volume, windows, foreground, side, count))
