"""An image as the networks of this package see it."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.foreground.whole_image import normalised_image


def normalised(raw: np.ndarray) -> torch.Tensor:
    """A whole micrograph (1, H, W) from its grey values (H, W): mean 0 and spread 1 over its rock, shading removed."""
    return torch.from_numpy(normalised_image(raw, "image"))[None]
