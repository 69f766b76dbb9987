"""Sizes that the engine works in: chunks and batches that fit a device's memory, and the network's pixel size."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from pipeline.engine.pinned_network import SIDE, WindowNetwork, pinned, prompted
from pipeline.errors import UserError
from pipeline.images.microscope.findings import mean_side
from pipeline.memory import peak_bytes
from pipeline.networks.surroundings import no_view, reach_of_network
from pipeline.text import TextFeatures

logger = logging.getLogger("vlsenet")

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


class MemoryNeed(NamedTuple):
    """What a network takes while it runs (bytes): for itself, and for each pixel of its windows."""

    fixed: float
    per_pixel: float

    @classmethod
    def of(
        cls, network: WindowNetwork, device: torch.device, channels: int = 1, reach: int | None = None
    ) -> MemoryNeed:
        """Measure a function of windows (N, C, H, W), and of what lies within reach, on the device where it runs."""
        windows = [torch.zeros(1, channels, side, side, device=device) for side in _SIDES]
        views = [[] if reach is None else [no_view(window, reach)] for window in windows]
        small, large = (
            peak_bytes(partial(network, window, *view)) for window, view in zip(windows, views, strict=True)
        )
        per_pixel = (large - small) / (_SIDES[1] ** 2 - _SIDES[0] ** 2)
        return cls(small - per_pixel * _SIDES[0] ** 2, per_pixel)


_measured: dict[tuple[object, ...], MemoryNeed] = {}


def memory_need(
    network: nn.Module, features: TextFeatures, statistics: str, precision: str, device: torch.device
) -> MemoryNeed:
    """What a network takes in the form in which it will run; measured once for each form of each architecture.

    Args:
        network: as trained, on the device.
        features: of any text, or of as many as will be asked with; one after the other, they take little more than one.
        statistics: `micrograph` or `network`.
        precision: as in `autocast`.
        device: where it runs.
    """
    channels, reach = int(getattr(network, "in_channels", 1)), reach_of_network(network)
    # the modules with their sizes, whatever their weights
    form = (type(network), repr(network), reach, statistics, precision, str(device), features.text.shape)
    if form not in _measured:
        runs = network
        if statistics == "micrograph":  # pinned, it takes half the memory; to what does not matter
            tile = torch.zeros(1, channels, SIDE, SIDE, device=device)
            runs = pinned(network, tile, features, precision, view=no_view(tile, reach))
        _measured[form] = MemoryNeed.of(prompted(runs, features, precision), device, channels, reach)
    return _measured[form]


def fitting_sizes(
    need: MemoryNeed,
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
        need: of the network.
        device: where it runs.
        halo: around a chunk (px, at the network's scale).
        region: slices, height and width of what is segmented (px); chunks need not be larger.
        scale: pixels of the network to one of the scan, along rows and columns.
        chunk_size: as given (px); None: the largest that leaves memory to other programs.
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

    def needed(side: int) -> float:
        return need.fixed + need.per_pixel * math.prod(min(side * coarse + 2 * halo, end) for end in ends)

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
        enough = [side for side in CHUNK_SIZES if side == CHUNK_SIZES[-1] or side < 2 * longest]
        fitting = [side for side in enough if needed(side) <= allowed]
        if not fitting:
            raise refused(CHUNK_SIZES[-1], 1, "give a smaller --halo, or use another device")
        chunk_size = fitting[0]
    if batch is None:
        chunks = region[0] * math.prod(math.ceil(length / chunk_size) for length in region[1:])
        most = 1 if device.type == "cpu" else min(_MOST_IN_A_BATCH, chunks)
        batch = int(max(1, min(most, allowed // needed(chunk_size))))
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
