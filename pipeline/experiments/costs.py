"""What a network costs: parameters and operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from pipeline.networks import build_network, parameter_count

#: tokens of a prompt, as CLIP's tower has them
_TEXT_LENGTH = 77


def network_costs(settings: Mapping[str, Any], patch_size: int) -> tuple[int, float]:
    """Parameters, and billions of floating-point operations of a forward pass.

    PyTorch's counter sees convolutions, products of matrices and attention; a multiplication with its addition counts
    as two. Text is of CLIP's length, whatever the prompts.

    Args:
        settings: of :func:`pipeline.networks.build_network`.
        patch_size: side of the one patch that goes in (px).
    """
    network = build_network(**settings).eval()
    width = settings["text_dim"]
    inputs = (torch.zeros(1, 1, patch_size, patch_size), torch.ones(1, width), torch.ones(1, _TEXT_LENGTH, width))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return parameter_count(network), counter.get_total_flops() / 1e9
