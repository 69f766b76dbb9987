"""Chunks and batches that fit a device's memory."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from pipeline.errors import UserError
from pipeline.memory import peak_bytes

#: sides of chunks (px); the larger, the less work is spent on halos
CHUNK_SIZES = (2048, 1024, 512, 256)
#: sides of the windows on which a network is measured (px): what it takes for a pixel shows in the difference, which
#: leaves out what it takes for itself
_SIDES = (128, 256)
#: share of a device's memory that one process may take: other programs run on a workstation's CPU too
_SHARE = {"cpu": 0.25, "cuda": 0.6}
#: a few windows of a million pixels keep any GPU busy
_MOST_IN_A_BATCH = 8
#: from this many network pixels per scan pixel, a wrong pixel size is more likely than too little memory
_COARSE = 2.0
#: where Linux says how much a container or a batch system's job may take
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def fitting_sizes(
    network: Callable[[torch.Tensor], torch.Tensor],
    device: torch.device,
    halo: int,
    longest_side: int,
    processes: int = 1,
    scale: float = 1.0,
    chunk_size: int | None = None,
    batch: int | None = None,
    shape: tuple[float, float] = (math.inf, math.inf),
) -> tuple[int, int]:
    """Chunk size (px) and batch that fit, from how much memory the network takes for a pixel.

    Args:
        network: of windows (N, 1, H, W), as it will run.
        device: where it runs.
        halo: around a chunk (px).
        longest_side: of the scan (px); chunks need not be larger.
        processes: that share the memory; on GPUs each has its own.
        scale: pixels of the network to one of the scan.
        chunk_size: as given (px); None: the largest that leaves memory to other programs.
        batch: as given; None: as many as leave memory to other programs.
        shape: height and width of the scan at the network's scale (px); no window is larger.

    Raises:
        UserError: not even the smallest chunk fits, or the given sizes need more than the whole memory.
    """
    windows = [torch.zeros(1, 1, side, side, device=device) for side in _SIDES]
    small, large = (peak_bytes(partial(network, window)) for window in windows)
    bytes_per_pixel = (large - small) / (windows[1].numel() - windows[0].numel())
    fixed = small - bytes_per_pixel * windows[0].numel()
    memory = device_memory(device) / (1 if device.type == "cuda" else processes)
    allowed = _SHARE[device.type] * memory

    def needed(side: int) -> float:
        return fixed + bytes_per_pixel * math.prod(min(side * scale + 2 * halo, end) for end in shape)

    def refused(side: int, count: int, remedy: str) -> UserError:
        if scale >= _COARSE:
            remedy = (
                f"each pixel of the scan is resampled to {scale:.4g} pixels: check --pixel_size_nm, or give --rescale "
                "false"
            )
        windows = "one window" if count == 1 else f"{count} windows"
        return UserError(
            f"{device}: not enough memory for {windows} of {side} px with a halo of {halo} px "
            f"({count * needed(side) / 1e9:.1f} GB); {remedy}"
        )

    given = chunk_size is not None
    if chunk_size is None:
        enough = [side for side in CHUNK_SIZES if side == CHUNK_SIZES[-1] or side < 2 * longest_side]
        fitting = [side for side in enough if needed(side) <= allowed]
        if not fitting:
            raise refused(CHUNK_SIZES[-1], 1, "give a smaller --halo, or use another device")
        chunk_size = fitting[0]
    if batch is None:
        batch = 1 if device.type == "cpu" else int(max(1, min(_MOST_IN_A_BATCH, allowed // needed(chunk_size))))
    # a batch has windows of one size, and one window is no larger than what there is to segment
    if batch * needed(chunk_size if batch > 1 else min(chunk_size, longest_side)) > memory:
        raise refused(
            chunk_size, batch, f"give a smaller {'--chunk_size' if given else '--batch'}, or use another device"
        )
    return chunk_size, batch


def device_memory(device: torch.device) -> int:
    """Bytes of memory of a device; for a CPU, what the system grants this process."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _LIMITS:
        if file.is_file() and (text := file.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)
