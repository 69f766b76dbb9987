"""What is asked of the segmentation of a scan: its settings, and all that determines the bytes of the result."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numcodecs

from pipeline.changed_settings import changed_settings
from pipeline.engine import FORMAT_VERSION
from pipeline.engine.prediction import PredictionSettings
from pipeline.engine.sizes import bytes_for_a_pixel, fitting_sizes, log_scale, network_scale
from pipeline.errors import UserError
from pipeline.foreground.measurement import BOTH
from pipeline.images.rectangles import Roi
from pipeline.images.volume import ScanVolume
from pipeline.measure.pores_2d import MIN_AREA_PX
from pipeline.phases import PORE, Phase
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows, check_imaged
from pipeline.workflows.items import Prompts
from pipeline.workflows.model_file import TrainedModel

logger = logging.getLogger("vlsenet")


@dataclass(frozen=True)
class ScanSettings:
    """How a scan is segmented.

    Attributes:
        prompt: the text that a scan is asked with, or those of several phases ...
        threshold: probability of each phase from which a pixel may be of it.
        prediction: how the network is applied.
        phases: that are asked for.
        sentences: ... unless a sentence belongs to it (`sentence_of`), which is asked then.
        stack: whether the path, a folder or a file of several images, is one volume.
        page: which image of a file with several; None: it has one.
        roi: ``x,y,w,h`` in pixels, or a sequence of the four; None: the whole scan.
        formats: further files: ``tiff``, ``nifti``; a list, or names between commas.
        pixel_size_nm: of the scan (nm); None: as its file says; `scale-bar`: as the bar drawn in it says.
        info_bar: what to do with the microscope's info bar: ``auto``, ``keep``, or its height (px).
        invert: whether pores are bright in the scan.
        slice_spacing_nm: distance of slices of a stack (nm); None: as its file says.
        report: measure every pore, and write the table and the report.
        min_pore_area_px: smallest pore in the table (px); the mask and the porosity keep them all.
    """

    prompt: Prompts
    threshold: Sequence[float]
    prediction: PredictionSettings = field(default_factory=PredictionSettings)
    phases: Sequence[Phase] = (Phase.of(PORE),)
    sentences: bool = False
    stack: bool = False
    page: int | None = None
    roi: str | Sequence[int] | None = None
    formats: str | Sequence[str] = ()
    pixel_size_nm: float | str | None = None
    info_bar: str | int = "auto"
    invert: bool = False
    slice_spacing_nm: float | None = None
    report: bool = True
    min_pore_area_px: int = MIN_AREA_PX

    @property
    def names(self) -> tuple[str, ...]:
        """Of the phases."""
        return tuple(phase.name for phase in self.phases)

    @property
    def asked(self) -> dict[str, Any]:
        """What is asked for, as the request has it; without other phases than pore, as earlier versions had it."""
        if self.names == (PORE,):
            return {"prompt": self.prompt, "threshold": self.threshold[0]}
        prompts = [self.prompt] if isinstance(self.prompt, str) else list(self.prompt)
        return {"phases": list(self.names), "prompt": prompts, "threshold": list(self.threshold)}

    @property
    def given_size_nm(self) -> float | None:
        """The side of a pixel, where the user gives it as a number (nm)."""
        return None if isinstance(self.pixel_size_nm, str) else self.pixel_size_nm

    @property
    def region(self) -> Roi | None:
        """The region of interest."""
        return None if self.roi is None else Roi.of(self.roi)

    @property
    def outputs(self) -> dict[str, Any]:
        """Which files are written; mask and probability don't depend on it."""
        return {"report": self.report, "min_pore_area_px": self.min_pore_area_px, "formats": list(self.format_names)}

    @property
    def format_names(self) -> tuple[str, ...]:
        """The further files, in order, each once."""
        return format_names(self.formats)


def format_names(formats: str | Sequence[str]) -> tuple[str, ...]:
    """Names of formats from a list, or from names between commas; in order, each once."""
    names = formats.split(",") if isinstance(formats, str) else formats
    return tuple(sorted({str(name).strip() for name in names} - {""}))


def scan_request(
    volume: ScanVolume,
    model: TrainedModel,
    settings: ScanSettings,
    pixel_size_nm: tuple[float, float] | None,
    earlier: Mapping[str, Any],
    processes: int,
) -> dict[str, Any]:
    """The request for a scan, for the journal: JSON values by name.

    Args:
        volume: the scan.
        model: what segments.
        settings: how.
        pixel_size_nm: pixel height and width, if known.
        earlier: request of an interrupted run in the same folder, whose sizes are kept, and whether it mirrors; empty
            if there is none.
        processes: number of processes that share this machine.

    Raises:
        UserError: there is nothing to segment (`check_imaged`), or too little memory (`fitting_sizes`).
    """
    prediction = settings.prediction
    trained = model.data["pixel_sizes_nm"] if prediction.rescale else []
    log_scale(pixel_size_nm, trained, volume.path)
    scale = network_scale(pixel_size_nm, trained)
    check_imaged(volume.shape, volume.rows, settings.region, scale, volume.path)
    chunk_size, batch = prediction.chunk_size or earlier.get("chunk_size"), prediction.batch or earlier.get("batch")
    sizes = {"chunk_size": chunk_size, "batch": batch, "halo": prediction.halo, "scale": list(scale)}
    if any(earlier.get(name) != value for name, value in sizes.items()):
        per_pixel = bytes_for_a_pixel(model.network, prediction.statistics)
        height, width = (settings.region.height, settings.region.width) if settings.region else volume.shape
        region, imaged = (volume.depth, height, width), (volume.rows.stop, volume.shape[1])
        chunk_size, batch = fitting_sizes(
            per_pixel, model.device, prediction.halo, region, scale, chunk_size, batch, processes, imaged
        )
    mirror = earlier.get("mirror") if prediction.mirror == "auto" else prediction.mirror
    logger.info("chunk size %d px, halo %d px, batch %d", chunk_size, prediction.halo, batch)
    return {
        "scan": volume.fingerprint(),
        "checkpoint_sha256": model.sha256,
        **settings.asked,
        "region": list(settings.region or (0, 0, volume.shape[1], volume.shape[0])),
        **{name: value for name, value in asdict(prediction).items() if name != "rescale"},
        "flatten_shading": prediction.shading,
        "mirror": prediction.mirrors(volume) if mirror is None else mirror,
        "chunk_size": chunk_size,
        "batch": batch,
        "pixel_size_nm": settings.pixel_size_nm,
        "scale": list(scale),
        # one number, as earlier versions wrote it, where no bar is on top
        "imaged_rows": list(volume.rows) if volume.rows.first else volume.rows.stop,
        "invert": settings.invert,
        "slice_spacing_nm": settings.slice_spacing_nm,
        "device": model.device.type,
        "format": {"version": FORMAT_VERSION, "numcodecs": numcodecs.__version__},
    }


def refuse_channels(model: TrainedModel) -> None:
    """Refuse a model that does not take grey images.

    Raises:
        UserError: its network has more channels than a scan gives it.
    """
    channels = model.network_settings.get("in_channels", 1)
    if channels != (2 if model.shading == BOTH else 1):
        raise UserError(
            f"{model.path}: this model takes images with {channels} channels, but scans have one (grey); "
            "give a checkpoint that was trained on one channel"
        )


def planned(volume: ScanVolume, settings: ScanSettings, request: Mapping[str, Any]) -> tuple[ChunkPlan, Windows]:
    """The chunks of a request, and where the network looks for each."""
    plan = ChunkPlan(*volume.shape, depth=volume.depth, chunk=request["chunk_size"], roi=settings.region)
    scale = request["scale"][0], request["scale"][1]
    uniform = request["batch"] > 1
    return plan, Windows(plan, settings.prediction.halo, scale, uniform=uniform, rows=volume.rows.stop)


#: in a request: lengths in the tables, which are none of the network's where it sees the scan as it is
_LENGTHS = ("pixel_size_nm", "slice_spacing_nm")


def with_sizes_apart(request: Mapping[str, Any], earlier: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The earlier request where this one differs by lengths only, that the network would not notice.

    Args:
        request: what is asked now.
        earlier: of the segmentation in the folder; empty where there is none.
        folder: of the results, for the message.

    Raises:
        UserError: by another pixel size alone, the network would see the scan at another scale.
    """
    now = json.loads(json.dumps(request))
    # sizes of chunks follow from the scale
    others = {name: value for name, value in now.items() if name not in (*_LENGTHS, "scale", "chunk_size", "batch")}
    if not earlier or any(earlier.get(name) != value for name, value in others.items()):
        return now
    if now["pixel_size_nm"] != earlier.get("pixel_size_nm") and now["scale"] != earlier.get("scale"):
        before, after = ("x".join(f"{side:.4g}" for side in of["scale"]) for of in (earlier, now))
        raise UserError(
            f"{folder}: by this pixel size the network sees the scan {after} times as large, and by that of the "
            f"earlier results {before} times: it must be segmented again; give --overwrite, or --rescale false to both"
        )
    same = all(now[name] == earlier.get(name) for name in ("scale", "chunk_size", "batch"))
    return dict(earlier) if same else now


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
    if differences := changed_settings({"scan": request["scan"]}, json.loads(json.dumps({"scan": now}))):
        raise UserError(
            f"{volume.path}: it changed while it was segmented ({'; '.join(differences)}), and the chunks show parts "
            "of both; --overwrite segments it again"
        )
