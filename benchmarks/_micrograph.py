"""An image as the networks of this package see it."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.data import Intensity, Shading, read_image
from pipeline.scan.greys import Greys


def normalised(path: Path) -> torch.Tensor:
    """A whole micrograph (1, H, W): mean 0 and spread 1 over it, shading taken out."""
    raw = read_image(path)
    intensity = Intensity.of(raw)
    greys = Greys(intensity, (Shading.of(raw, intensity),))
    return torch.from_numpy(greys.normalised(raw, 0, 0, 0))[None]
