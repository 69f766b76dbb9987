"""An image as the networks of this package see it."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.foreground.intensity import Intensity
from pipeline.foreground.normalisation import GreyNormalisation
from pipeline.foreground.shading import Shading


def normalised(raw: np.ndarray) -> torch.Tensor:
    """A whole micrograph (1, H, W) from its grey values (H, W): mean 0 and spread 1 over it, shading removed."""
    intensity = Intensity.of(raw)
    greys = GreyNormalisation(intensity, (Shading.of(raw, intensity),))
    return torch.from_numpy(greys.normalised(raw, 0, 0, 0))[None]
