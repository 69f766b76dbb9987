"""What a network and its training cost: parameters, operations, memory."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path
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


def peak_memory() -> int:
    """Peak memory of this process so far (bytes).

    That of PyTorch's allocator on the GPU where the process used one, else the resident memory, which holds the
    libraries too (some 0.5 GB).
    """
    if torch.cuda.is_available() and (allocated := torch.cuda.max_memory_allocated()):
        return int(allocated)
    status = Path("/proc/self/status")
    if status.exists():  # getrusage has the peak of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
