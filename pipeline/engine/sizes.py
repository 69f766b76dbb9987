"""Sizes that the engine works in: chunks and batches that fit a device's memory, and the network's pixel size."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from pipeline.errors import UserError
from pipeline.images.microscope.findings import mean_side

logger = logging.getLogger("vlsenet")

#: sides of chunks (px); the larger, the less work is spent on halos: with one of 128 px, a chunk of 1024 px sends 1.56
#: pixels through the network for each that is kept, one of 2048 px 1.27
CHUNK_SIZES = (2048, 1024, 512, 256)
#: most pixels that the network sees of a chunk, without its halo. On a CPU, larger ones take twice the memory and as
#: long: what is saved on halos is lost to caches
_MOST_PIXELS = {"cpu": 1024**2, "cuda": 2048**2}
#: maps of the first convolution's width that are alive at once, and some more: VLSE-Net has 5.6 with statistics of the
#: micrograph, and 11.4 with those of the network; a U-Net 2.8 and 8.4
_MAPS = {"micrograph": 8, "network": 14}
#: share of a device's memory that one process may take: other programs run on a workstation's CPU too
_SHARE = {"cpu": 0.25, "cuda": 0.6}
#: a few windows of a million pixels keep any GPU busy
_MOST_IN_A_BATCH = 8
#: from this many network pixels per scan pixel, a wrong pixel size is more likely than too little memory
_COARSE = 2.0
#: where Linux says how much a container or a batch system's job may take
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def bytes_for_a_pixel(network: nn.Module, statistics: str) -> float:
    """Most memory that a network takes for each pixel of its windows, in float32.

    Args:
        network: as trained.
        statistics: `micrograph` or `network`.
    """
    layers = (layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d))
    return _MAPS[statistics] * next(layers, 1) * 4


def fitting_sizes(
    per_pixel: float,
    device: torch.device,
    halo: int,
    region: tuple[int, int, int],
    scale: tuple[float, float] = (1.0, 1.0),
    chunk_size: int | None = None,
    batch: int | None = None,
    processes: int = 1,
    shape: tuple[int, int] | None = None,
) -> tuple[int, int]:
    """Chunk size (px) and batch that fit a device's memory.

    Args:
        per_pixel: bytes that the network takes for each pixel of its windows (`bytes_for_a_pixel`).
        device: where it runs.
        halo: around a chunk (px, at the network's scale).
        region: slices, height and width of what is segmented (px); chunks need not be larger.
        scale: pixels of the network to one of the scan, along rows and columns.
        chunk_size: as given (px); None: the largest that is of use, and leaves memory to other programs.
        batch: as given; None: as many as leave memory to other programs, and no more than there are chunks.
        processes: that share the memory; on GPUs each has its own.
        shape: height and width of the scan (px), beyond which no window reaches; None: those of the region.

    Raises:
        UserError: not even the smallest chunk fits, or the given sizes need more than the whole memory.
    """
    memory = device_memory(device) / (1 if device.type == "cuda" else processes)
    allowed = _SHARE[device.type] * memory
    longest, coarse = max(region[1:]), max(scale)
    ends = [length * factor for length, factor in zip(shape or region[1:], scale, strict=True)]

    def pixels(side: int, around: int) -> float:
        return math.prod(min(side * coarse + 2 * around, end) for end in ends)

    def needed(side: int) -> float:
        return per_pixel * pixels(side, halo)

    def refused(side: int, count: int, remedy: str) -> UserError:
        if coarse >= _COARSE:
            remedy = (
                f"each pixel of the scan is resampled to {coarse:.4g} pixels: check --pixel_size_nm, or give --rescale "
                "false"
            )
        windows = "one window" if count == 1 else f"{count} windows"
        return UserError(
            f"{device}: not enough memory for {windows} of {side} px with a halo of {halo} px "
            f"({count * needed(side) / 1e9:.1f} GB); {remedy}"
        )

    given = chunk_size is not None
    if chunk_size is None:
        most = _MOST_PIXELS[device.type]
        useful = [side for side in CHUNK_SIZES[:-1] if side < 2 * longest and pixels(side, 0) <= most]
        fitting = [side for side in (*useful, CHUNK_SIZES[-1]) if needed(side) <= allowed]
        if not fitting:
            raise refused(CHUNK_SIZES[-1], 1, "give a smaller --halo, or use another device")
        chunk_size = fitting[0]
    if batch is None:
        chunks = region[0] * math.prod(math.ceil(length / chunk_size) for length in region[1:])
        usual = 1 if device.type == "cpu" else min(_MOST_IN_A_BATCH, chunks)
        batch = int(max(1, min(usual, allowed // needed(chunk_size))))
    # a batch has windows of one size, and one window is no larger than what there is to segment
    if batch * needed(chunk_size if batch > 1 else min(chunk_size, longest)) > memory:
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


#: training zooms its patches by up to this factor either way, so smaller differences need no resampling
_TRAINED_ZOOM = 1.25
#: beyond this factor, a scan shows or lacks details unlike any in the training
_FAR = 4.0


def network_scale(pixel_size_nm: tuple[float, float] | None, trained_nm: Sequence[float]) -> tuple[float, float]:
    """Network pixels per scan pixel, along rows and columns.

    Args:
        pixel_size_nm: pixel height and width of the scan (nm), if known.
        trained_nm: pixel sizes of the training images (nm); empty where they are not known.

    Returns:
        (1, 1) where a size is not known, or near one of the training's.
    """
    if not trained_nm or pixel_size_nm is None:
        return 1.0, 1.0
    height, width = pixel_size_nm
    target = _nearest_trained(pixel_size_nm, trained_nm)
    if max(height / target, target / height, width / target, target / width) <= _TRAINED_ZOOM:
        return 1.0, 1.0
    return height / target, width / target


def log_scale(pixel_size_nm: tuple[float, float] | None, trained_nm: Sequence[float], name: str) -> None:
    """Log what the user should know of a scan's pixel size; arguments as for `network_scale`, and the scan's name."""
    trained = ""
    if trained_nm:
        low, high = min(trained_nm), max(trained_nm)
        trained = f"{low:.4g} nm" if low == high else f"{low:.4g} to {high:.4g} nm"
    if pixel_size_nm is None:
        wrong = f", and the scale may be wrong for the model, which was trained at {trained}" if trained else ""
        remedy = "; give --pixel_size_nm N" if trained else "; --pixel_size_nm N sets it"
        logger.warning("%s: pixel size not known, so lengths are in pixels%s%s", name, wrong, remedy)
    elif not trained:
        logger.info("the pixel size of the model's training images is not known: the scan is not resampled")
    elif network_scale(pixel_size_nm, trained_nm) != (1, 1):
        mean, target = mean_side(pixel_size_nm), _nearest_trained(pixel_size_nm, trained_nm)
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


def _nearest_trained(pixel_size_nm: tuple[float, float], trained_nm: Sequence[float]) -> float:
    """The pixel size (nm) within the training's range that is nearest to a scan's."""
    return min(max(mean_side(pixel_size_nm), min(trained_nm)), max(trained_nm))
