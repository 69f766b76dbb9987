"""Segmentation of a whole scan: chunk by chunk, with a journal, to mask, porosity and a certificate."""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numcodecs
import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from pipeline.atomic import atomic_path
from pipeline.data import Intensity
from pipeline.scan.certificate import certify
from pipeline.scan.empty_ground import CELL, EmptyGround, find_empty_ground
from pipeline.scan.intensity import scan_intensity
from pipeline.scan.output import (
    FORMAT_VERSION,
    ChunkPlan,
    Journal,
    ScanStore,
    build_pyramid,
    export_nifti,
    export_tiff,
)
from pipeline.scan.overview import write_overview
from pipeline.scan.porosity import Porosity, measure_porosity
from pipeline.scan.prediction import ChunkPredictor
from pipeline.scan.sources import Roi, ScanSource, open_scan
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.provenance import versions
from pipeline.workflows.scan_network import scan_network
from pipeline.workflows.training import INTERRUPTED

logger = logging.getLogger("vlsenet")

_WRITERS = 2


class _Ground(NamedTuple):
    """What was measured in the first pass over the scan."""

    empty: EmptyGround | None
    intensity: Intensity


class ScanSegmentation:
    """Segments one scan into ``output_dir``; started again with the same arguments, it goes on.

    Writes ``segmentation.ome.zarr`` (mask and 8-bit probability, with a pyramid), ``porosity.json`` and
    ``porosity_fields.csv``, ``overview.png``, on request ``mask.ome.tif`` and ``mask.nii.gz``, and at last
    ``manifest.json`` with the seam certificate. ``journal/`` holds which chunks are done.

    Args:
        path: the scan.
        output_dir: folder of the results.
        model: what segments; its text store knows the prompt.
        prompt: text prior.
        threshold: probability from which a pixel is pore.
        roi: ``x,y,w,h`` in pixels, or a sequence of the four; None: the whole scan.
        page: which image of a file of several.
        chunk_size: side of a chunk (px).
        halo: around a chunk (px).
        batch: chunks in one forward pass; None: by the device.
        precision: of the convolutions, as in ``autocast``.
        statistics: ``micrograph`` (pinned to the scan) or ``network``.
        skip_empty: leave empty ground around the rock out.
        formats: further files: ``tiff``, ``nifti``.
        device: where the network runs.
        overwrite: begin anew, whatever is there.
    """

    def __init__(
        self,
        path: str,
        output_dir: str,
        model: TrainedModel,
        prompt: str,
        threshold: float,
        roi: str | Sequence[int] | None,
        page: int | None,
        chunk_size: int,
        halo: int,
        batch: int | None,
        precision: str,
        statistics: str,
        skip_empty: bool,
        formats: Sequence[str],
        device: torch.device,
        overwrite: bool,
    ) -> None:
        self._path = path
        self._folder = Path(output_dir)
        self._model = model
        self._prompt = prompt
        self._threshold = threshold
        self._roi = None if roi is None else Roi.parse(roi if isinstance(roi, str) else ",".join(map(str, roi)))
        self._page = page
        self._chunk_size = chunk_size
        self._halo = halo
        self._batch = batch or (1 if device.type == "cpu" else 4)
        self._precision = precision
        self._statistics = statistics
        self._skip_empty = skip_empty
        self._formats = tuple(formats)
        self._device = device
        self._overwrite = overwrite

    def run(self) -> None:
        """Segment, or go on.

        Raises:
            UserError: the scan can't be read, the folder holds results of other settings, or the disk refuses. What
                is done stays.
        """
        started = time.monotonic()
        with open_scan(self._path, spill_dir=self._folder / "decoded", page=self._page) as source:
            logger.info("%s", source.describe())
            region = None if self._roi is None else (self._roi.x, self._roi.y, self._roi.width, self._roi.height)
            plan = ChunkPlan(*source.shape, chunk=self._chunk_size, roi=region)
            request = self._request(source, plan)
            with Journal.open(self._folder / "journal", request, self._overwrite) as journal:
                pixel_size = None if source.pixel_size_nm is None else float(np.mean(source.pixel_size_nm))
                store = ScanStore.create(
                    self._folder / "segmentation.ome.zarr",
                    plan,
                    journal.hash,
                    pixel_size_nm=pixel_size,
                    replace=journal.replaces,
                )
                ground = self._first_pass(source)
                predictor = self._predictor(source, plan, ground)
                try:
                    skipped = self._segment(predictor, store, journal, ground)
                except KeyboardInterrupt:
                    logger.warning("interrupted; the same command goes on after the last finished chunk")
                    raise SystemExit(INTERRUPTED) from None
                build_pyramid(store, threads=_WRITERS)
                porosity = measure_porosity(plan, journal.entries())
                seam = certify(predictor, store, self._threshold, _usable(ground, plan))
                self._write(source, store, porosity, pixel_size)
                manifest = {
                    "request": request,
                    "checkpoint": str(self._model.path),
                    "intensity": vars(ground.intensity),
                    "skipped_share": skipped,
                    "seam_certificate": seam,
                    "device": str(self._device),
                    "batch": predictor.batch,
                    "seconds_of_this_run": round(time.monotonic() - started, 1),
                    "versions": versions(),
                }
                with atomic_path(self._folder / "manifest.json") as partial:
                    partial.write_text(json.dumps(manifest, indent=2))
                journal.finish({"porosity": porosity.porosity})
        self._tell(porosity, seam, skipped)

    def _request(self, source: ScanSource, plan: ChunkPlan) -> dict[str, Any]:
        """All that decides the bytes of the result."""
        return {
            "scan": source.fingerprint(),
            "checkpoint_sha256": self._model.sha256,
            "prompt": self._prompt,
            "threshold": self._threshold,
            "region": list(plan.region),
            "chunk_size": self._chunk_size,
            "halo": self._halo,
            "batch": self._batch,
            "precision": self._precision,
            "statistics": self._statistics,
            "skip_empty": self._skip_empty,
            "device": self._device.type,
            "format": {"version": FORMAT_VERSION, "numcodecs": numcodecs.__version__},
        }

    def _first_pass(self, source: ScanSource) -> _Ground:
        empty = find_empty_ground(source) if self._skip_empty else None
        if empty is not None and empty.share:
            logger.info("%.1f %% of the scan is empty ground", 100 * empty.share)
        return _Ground(empty, scan_intensity(source, skip=None if empty is None else empty.covers))

    def _predictor(self, source: ScanSource, plan: ChunkPlan, ground: _Ground) -> ChunkPredictor:
        features = self._model.text.get(self._prompt)
        network = scan_network(
            self._model.network, source, ground.intensity, ground.empty, features, self._statistics, self._precision
        )
        return ChunkPredictor(source, plan, network, ground.intensity, self._halo, self._batch, self._device)

    def _segment(self, predictor: ChunkPredictor, store: ScanStore, journal: Journal, ground: _Ground) -> float:
        """Write all chunks that are not in the journal.

        Returns:
            Share of the region that was not sent through the network.
        """
        plan = predictor.plan
        done = {index for index in journal.entries() if store.has_chunk(index)}
        left = [index for index in range(len(plan)) if index not in done]
        empty: set[int] = set()
        if ground.empty is not None:
            empty = {index for index in range(len(plan)) if not _rock(ground.empty, plan, index).any()}
        area = {index: plan[index].height * plan[index].width for index in range(len(plan))}
        if done:
            logger.info("%d of %d chunks were done before", len(done), len(plan))

        def write(index: int, probability: np.ndarray) -> int:
            rock = None if ground.empty is None else _rock(ground.empty, plan, index)
            journal.add(index, store.write_chunk(index, probability, self._threshold, rock))
            return area[index]

        total = sum(area[index] for index in left)
        with (
            tqdm(total=total, unit="px", unit_scale=True, desc="segmenting", mininterval=1, disable=not left) as bar,
            ThreadPoolExecutor(_WRITERS, thread_name_prefix="writer") as writers,
        ):
            writing: deque[Future[int]] = deque()
            for index in left:
                if index in empty:
                    writing.append(writers.submit(write, index, _nothing(plan, index)))
            for index, probability in predictor(index for index in left if index not in empty):
                writing.append(writers.submit(write, index, probability))
                while len(writing) > 2 * _WRITERS:
                    bar.update(writing.popleft().result())
            for future in writing:
                bar.update(future.result())
        return sum(area[index] for index in empty) / sum(area.values())

    def _write(self, source: ScanSource, store: ScanStore, porosity: Porosity, pixel_size: float | None) -> None:
        content = {
            "porosity": porosity.porosity if porosity.rock else None,
            "interval_95": [porosity.low, porosity.high] if np.isfinite(porosity.low) else None,
            "pore_pixels": porosity.pore,
            "rock_pixels": porosity.rock,
            "field_px": porosity.field,
            "pixel_size_nm": pixel_size,
        }
        with atomic_path(self._folder / "porosity.json") as partial:
            partial.write_text(json.dumps(content, indent=2, allow_nan=False))
        rows, columns = porosity.fields.shape[1:]
        places = [(row * porosity.field, column * porosity.field) for row in range(rows) for column in range(columns)]
        table = pd.DataFrame(places, columns=["y", "x"])
        table = table.assign(side=porosity.field, porosity=porosity.fields[0].ravel())
        with atomic_path(self._folder / "porosity_fields.csv") as partial:
            table.to_csv(partial, index=False, float_format="%.6f")
        write_overview(self._folder / "overview.png", source, store, porosity)
        if "tiff" in self._formats:
            export_tiff(store, self._folder / "mask.ome.tif", pixel_size_nm=pixel_size)
        if "nifti" in self._formats:
            export_nifti(store, self._folder / "mask.nii.gz", pixel_size_nm=pixel_size)

    def _tell(self, porosity: Porosity, seam: dict[str, Any], skipped: float) -> None:
        print(f"porosity {porosity}")
        if seam["crops"]:
            logger.info(
                "seams: largest difference of probability %.4f, mean %.1e, %.4f %% of the mask flips (%d crops)",
                seam["largest"],
                seam["mean"],
                100 * seam["flipped"],
                seam["crops"],
            )
        if skipped:
            logger.info("%.1f %% of the region was empty and not segmented", 100 * skipped)
        logger.info("mask, probability, porosity, overview.png: %s", self._folder)


def _rock(ground: EmptyGround, plan: ChunkPlan, index: int) -> np.ndarray:
    """Where a chunk shows rock, (H, W), boolean."""
    chunk = plan[index]
    top, left = plan.region[1] + chunk.y, plan.region[0] + chunk.x
    rows = np.arange(top, top + chunk.height) // CELL
    columns = np.arange(left, left + chunk.width) // CELL
    return ~ground.empty[np.ix_(rows, columns)]


def _nothing(plan: ChunkPlan, index: int) -> np.ndarray:
    chunk = plan[index]
    return np.zeros((chunk.height, chunk.width), np.float32)


def _usable(ground: _Ground, plan: ChunkPlan) -> Callable[[int, int, int, int], bool]:
    """Whether a crop of the output (top, left, height, width) holds no empty ground."""

    def usable(top: int, left: int, height: int, width: int) -> bool:
        if ground.empty is None:
            return True
        x, y = plan.region[:2]
        rows = slice((y + top) // CELL, (y + top + height - 1) // CELL + 1)
        columns = slice((x + left) // CELL, (x + left + width - 1) // CELL + 1)
        return not ground.empty.empty[rows, columns].any()

    return usable
