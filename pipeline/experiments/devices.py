"""Which GPU each of several runs takes."""

from __future__ import annotations

import os
from collections.abc import Iterable


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them; empty without one."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip() not in ("", "-1")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def least_used(gpus: Iterable[str], taken: Iterable[str]) -> str | None:
    """The GPU with the fewest runs under way, the first of several; None without GPUs.

    Args:
        gpus: all there are.
        taken: that of each run under way.
    """
    busy = list(taken)
    return min(gpus, key=busy.count, default=None)
