"""Sizes that the engine works in: chunks and batches that fit a device's memory, and the network's pixel size."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from pipeline.errors import UserError
from pipeline.images.microscope.findings import mean_side
from pipeline.memory import peak_bytes

#: sides of chunks (px); the larger, the less work is spent on halos: with one of 128 px, a chunk of 1024 px sends 1.56
#: pixels through the network for each that is kept, one of 2048 px 1.27
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


logger = logging.getLogger("vlsenet")

#: training zooms its patches by up to this factor either way, so smaller differences need no resampling
_TRAINED_ZOOM = 1.25
#: beyond this factor, a scan shows or lacks details unlike any in the training
_FAR = 4.0


def scan_scale(
    pixel_size_nm: tuple[float, float] | None, trained_nm: Sequence[float], name: str
) -> tuple[float, float]:
    """Network pixels per scan pixel, along rows and columns; logs what the user should know.

    Args:
        pixel_size_nm: pixel height and width of the scan (nm), if known.
        trained_nm: pixel sizes of the training images (nm); empty where they are not known.
        name: of the scan, for messages.

    Returns:
        (1, 1) where a size is not known, or near one of the training's.
    """
    if not trained_nm:
        if pixel_size_nm is None:
            logger.warning("%s: pixel size not known, so lengths are in pixels; --pixel_size_nm N sets it", name)
        else:
            logger.info("the pixel size of the model's training images is not known: the scan is not resampled")
        return 1.0, 1.0
    low, high = min(trained_nm), max(trained_nm)
    trained = f"{low:.4g} nm" if low == high else f"{low:.4g} to {high:.4g} nm"
    if pixel_size_nm is None:
        logger.warning(
            "%s: pixel size not known, so lengths are in pixels, and the scale may be wrong for the model, which was "
            "trained at %s; give --pixel_size_nm N",
            name,
            trained,
        )
        return 1.0, 1.0
    height, width = pixel_size_nm
    mean = mean_side(pixel_size_nm)
    target = min(max(mean, low), high)
    if max(height / target, target / height, width / target, target / width) <= _TRAINED_ZOOM:
        return 1.0, 1.0
    scale = height / target, width / target
    factor = max(mean / target, target / mean)
    logger.log(
        logging.WARNING if factor > _FAR else logging.INFO,
        "%s: resampled from %.4g nm to %.4g nm per pixel for the network, which was trained at %s%s",
        name,
        mean,
        target,
        trained,
        f"; these differ by a factor of {factor:.1f}: check the overlay before trusting the numbers"
        if factor > _FAR
        else "",
    )
    return scale
