"""What a network returns in training when it has an alignment head."""

from __future__ import annotations

from typing import NamedTuple

import torch


class SegmentationOutput(NamedTuple):
    """Logits and the per-sample region alignment loss.

    Attributes:
        logits: pore logits (N, out_channels, H, W).
        alignment: `1 - cos` between region and text, one value per sample (N,).
    """

    logits: torch.Tensor
    alignment: torch.Tensor
