"""Mixed precision: bfloat16 where the device has it in hardware."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from monai.inferers import SimpleInferer


def has_fast_bfloat16(device: torch.device | str) -> bool:
    """Whether convolutions of bfloat16 run faster than those of float32, and not in an emulation."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # not oneDNN's own answer, which counts AVX-512 without BF16 too: slower there than float32
        checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
        return any(check is not None and check() for check in checks)
    return False


def autocast(precision: str, device: torch.device | str) -> AbstractContextManager[Any]:
    """Context in which a network's convolutions run in bfloat16, or one that does nothing.

    Weights, statistics and losses stay in float32. bfloat16 has the range of float32: it needs no loss scaling, whose
    state a resumed training would have to restore.

    Args:
        precision: `auto` (bfloat16 where the device is faster with it), `bfloat16` or `float32`.
        device: where the network runs.
    """
    device = torch.device(device)
    lower = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=lower)


class MixedPrecisionInferer(SimpleInferer):
    """Runs the network on the whole input, in mixed precision.

    MONAI's engines know `amp` for CUDA only, with float16.

    Args:
        precision: `auto`, `bfloat16` or `float32`.
    """

    def __init__(self, precision: str) -> None:
        super().__init__()
        self.precision = precision

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What `network(inputs, ...)` returns, for images (N, C, H, W)."""
        with autocast(self.precision, inputs.device):
            return super().__call__(inputs, network, *args, **kwargs)
