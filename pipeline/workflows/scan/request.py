"""All that determines the bytes of a segmented scan."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import numcodecs
import torch

from pipeline.engine import FORMAT_VERSION, request_differences
from pipeline.engine.pinned_network import SIDE, pinned, prompted
from pipeline.engine.sizes import fitting_sizes, scan_scale
from pipeline.errors import UserError
from pipeline.images.volume import ScanVolume
from pipeline.tiling.windows import check_imaged
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan.settings import ScanSettings

logger = logging.getLogger("vlsenet")


def scan_request(
    volume: ScanVolume,
    model: TrainedModel,
    settings: ScanSettings,
    device: torch.device,
    pixel_size_nm: tuple[float, float] | None,
    earlier: Mapping[str, Any],
    processes: int,
) -> dict[str, Any]:
    """The request for a scan, for the journal: JSON values by name.

    Args:
        volume: the scan.
        model: what segments.
        settings: how.
        device: where.
        pixel_size_nm: pixel height and width, if known.
        earlier: request of an interrupted run in the same folder, whose sizes are kept; empty if there is none.
        processes: number of processes that share this machine.

    Raises:
        UserError: there is nothing to segment (`check_imaged`), or too little memory (`fitting_sizes`).
    """
    trained = model.data["pixel_sizes_nm"] if settings.rescale else []
    scale = scan_scale(pixel_size_nm, trained, volume.path)
    check_imaged(volume.shape, volume.rows, settings.region, scale, volume.path)
    chunk_size, batch = settings.chunk_size or earlier.get("chunk_size"), settings.batch or earlier.get("batch")
    sizes = {"chunk_size": chunk_size, "batch": batch, "halo": settings.halo, "scale": list(scale)}
    if any(earlier.get(name) != value for name, value in sizes.items()):
        network, features = model.network, model.text.get(settings.prompt)
        if settings.statistics == "micrograph":  # pinned, it takes half the memory; to what does not matter
            network = pinned(network, torch.zeros(1, 1, SIDE, SIDE, device=device), features, settings.precision)
        longest = max(settings.region[2:] if settings.region else volume.shape)
        shape = volume.rows * scale[0], volume.shape[1] * scale[1]
        run = prompted(network, features, settings.precision)
        chunk_size, batch = fitting_sizes(
            run, device, settings.halo, longest, processes, max(scale), chunk_size, batch, shape
        )
    logger.info("chunk size %d px, halo %d px, batch %d", chunk_size, settings.halo, batch)
    return {
        "scan": volume.fingerprint(),
        "checkpoint_sha256": model.sha256,
        "prompt": settings.prompt,
        "threshold": settings.threshold,
        "region": list(settings.region or (0, 0, volume.shape[1], volume.shape[0])),
        "chunk_size": chunk_size,
        "halo": settings.halo,
        "batch": batch,
        "precision": settings.precision,
        "statistics": settings.statistics,
        "flatten_shading": settings.flatten_shading,
        "skip_empty": settings.skip_empty,
        "pixel_size_nm": settings.pixel_size_nm,
        "scale": list(scale),
        "imaged_rows": volume.rows,
        "invert": settings.invert,
        "slice_spacing_nm": settings.slice_spacing_nm,
        "device": device.type,
        "format": {"version": FORMAT_VERSION, "numcodecs": numcodecs.__version__},
    }


def refuse_changed(volume: ScanVolume, request: Mapping[str, Any]) -> None:
    """Refuse a scan that is another than when its chunks were begun: they would show both.

    Args:
        volume: the scan.
        request: of the journal.

    Raises:
        UserError: the scan changed, or is gone.
    """
    try:
        now = volume.fingerprint()
    except OSError as error:
        raise UserError(f"{volume.path}: it was removed while it was segmented; put it back to resume") from error
    if differences := request_differences({"scan": request["scan"]}, json.loads(json.dumps({"scan": now}))):
        raise UserError(
            f"{volume.path}: it changed while it was segmented ({'; '.join(differences)}), and the chunks show parts "
            "of both; --overwrite segments it again"
        )
