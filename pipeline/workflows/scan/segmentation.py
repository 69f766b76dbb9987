"""Segments one scan or stack chunk by chunk, with a journal, into mask, porosity and a certificate."""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from pipeline.engine import Journal, ScanStore, build_pyramid
from pipeline.engine.certificate import certify
from pipeline.engine.chunk_writer import chunks_left, write_chunks
from pipeline.engine.prediction import ChunkPredictor
from pipeline.engine.scan_predictor import predictor_for, seen_around
from pipeline.errors import INTERRUPTED, UserError
from pipeline.foreground.coarse import CoarseMicrograph
from pipeline.foreground.measurement import Foreground
from pipeline.images.microscope.findings import square_side
from pipeline.images.microscope.scale_bar import SCALE_BAR, ScaleBar, write_scale_bar
from pipeline.images.storage import THREADS
from pipeline.images.volume import ScanVolume, open_volume
from pipeline.measure.porosity import Porosity
from pipeline.phases import PORE
from pipeline.tiling.chunk_plan import ChunkPlan
from pipeline.tiling.windows import Windows
from pipeline.tracking.provenance import versions
from pipeline.wording import NAME_IS_NO_TEXT, printable
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.ranks import Ranks
from pipeline.workflows.scan.finished import refuse_foreign, was_written
from pipeline.workflows.scan.first_look import FirstLook
from pipeline.workflows.scan.request import (
    ScanSettings,
    planned,
    refuse_changed,
    refuse_channels,
    scan_request,
    with_sizes_apart,
)
from pipeline.workflows.scan.results import (
    JOURNAL,
    MANIFEST,
    OVERVIEW,
    REPORT,
    SCALE_BAR_PICTURE,
    STORE,
    begin_report,
    remove_earlier,
    remove_left_over,
    write_manifest,
    write_results,
    write_summary,
)
from pipeline.workflows.scan.segmented import segmented_scan
from pipeline.workflows.scan.voxel import log_voxel, offer_scale_bar, pixel_size_of, slice_spacing_of, take_scale_bar

logger = logging.getLogger("vlsenet")

#: in the folder of the journal: what was measured of the scan before
FOREGROUND = "foreground.npz"


class ScanSegmentation:
    """Segments one scan, or one stack of slices, into ``output_dir``; started again, it resumes.

    Writes ``segmentation.ome.zarr`` (mask and 8-bit probability, with a pyramid), ``porosity.json`` and
    ``porosity_fields.csv``, of other phases than pore ``phases.json``, ``phases.csv`` and ``phase_fields.csv``,
    ``overview.png``, on request ``mask.ome.tif`` and ``mask.nii.gz``, and finally ``manifest.json`` with the seam
    certificate. ``journal/`` records which chunks are finished.

    Processes started by ``torchrun`` share the chunks of one store; process 0 does what is done only once.

    Args:
        path: the scan, or a folder of slices.
        output_dir: folder of the results.
        model: what segments; its text store knows the prompt.
        settings: how.
        ranks: the processes, already joined.
        overwrite: replace a finished segmentation, or one of other settings.
        say: takes each line of the result.
        worker: for the manifest, where it was segmented; None: the name of this machine.
    """

    def __init__(
        self,
        path: str,
        output_dir: str | Path,
        model: TrainedModel,
        settings: ScanSettings,
        ranks: Ranks = Ranks(),  # noqa: B008 - immutable
        overwrite: bool = False,
        say: Callable[[str], object] = print,
        worker: str | None = None,
    ) -> None:
        self._path = path
        self._say = say
        self._worker = worker or platform.node()
        self._folder = Path(output_dir)
        self._model = model
        self._settings = settings
        self._ranks = ranks
        self._overwrite = overwrite
        self._scale_bar: ScaleBar | None = None

    def run(self) -> dict[str, Porosity] | None:
        """Segment, or resume.

        Returns:
            The area fraction of each phase, of which that of pores is the porosity, in process 0; None if the scan was
            already segmented.

        Raises:
            UserError: the scan can't be read, the folder holds results of other settings, or the disk can't be
                written. Finished chunks are kept.
        """
        started = time.monotonic()
        refuse_channels(self._model)
        if not self._overwrite:
            self._ranks.first_does(lambda: refuse_foreign(self._folder, self._journal_folder))
        # one at a time, beside what waits for the disk, and then for the network
        look_beside = ThreadPoolExecutor(1, thread_name_prefix="first-look")
        with self._ranks.one_then_others(self._open) as volume, look_beside:
            request = self._ranks.first_does(lambda: self._request(volume))
            if self._ranks.first_does(lambda: not self._overwrite and self._was_done(request, volume)):
                return None
            plan, windows = planned(volume, self._settings, request)
            offers = [look_beside.submit(offer_scale_bar, volume)] if self._wants_size(volume) else []
            with self._ranks.one_then_others(lambda: self._journal(request)) as journal:
                store = self._ranks.one_then_others(lambda: self._store(plan, volume, journal))
                foreground = self._ranks.first_does(lambda: self._measured(volume, windows, journal))
                look_at = partial(self._first_look, volume, windows, foreground)
                looks = [look_beside.submit(look_at)] if self._ranks.is_first else []
                coarse = self._ranks.first_does(lambda: self._coarse(volume, windows, foreground, journal))
                predictor = predictor_for(
                    volume,
                    windows,
                    foreground,
                    self._model.network,
                    self._model.text.together(self._settings.prompt),
                    replace(self._settings.prediction, mirror=request["mirror"]),
                    request["batch"],
                    self._model.device,
                    self._model.logits_of(self._settings.phases),
                    coarse,
                )
                for offered in offers:
                    offered.result()
                look = self._ranks.first_does(lambda: looks[0].result())
                before = time.monotonic()
                self._segment(predictor, store, journal)
                seconds = {"first_look": before - started, "chunks": time.monotonic() - before}
                build_pyramid(store, self._ranks.rank, self._ranks.count, threads=THREADS, barrier=self._ranks.wait)
                ended: list[dict[str, Porosity]] = []
                self._ranks.first_does(
                    lambda: ended.append(self._finish(predictor, store, journal, look, seconds, started))
                )
        return ended[0] if ended else None

    def _finish(
        self,
        predictor: ChunkPredictor,
        store: ScanStore,
        journal: Journal,
        look: FirstLook,
        seconds: dict[str, float],
        started: float,
    ) -> dict[str, Porosity]:
        """What process 0 does when all chunks are written: certificate, numbers, pictures, manifest."""
        volume, settings = predictor.volume, self._settings
        refuse_changed(volume, journal.request)
        scan = segmented_scan(self._model, settings, volume, store, journal.entries(), predictor.foreground, look)
        phases = scan.phases
        remove_left_over(self._folder, [name for phase in phases for name in phase.files.names])
        with ThreadPoolExecutor(1, thread_name_prefix="beside") as beside:
            # the one waits for the network, the other for Python
            certificate = beside.submit(certify, predictor, store, settings.threshold)
            begun = begin_report(beside, scan, settings.min_pore_area_px) if settings.report else None
            write_summary(self._folder, scan, look.otsu_porosity)
            if self._scale_bar is not None:
                with volume.slice(0, as_stored=True) as source:
                    write_scale_bar(self._folder / SCALE_BAR_PICTURE, source, self._scale_bar)
            manifest = self._manifest(predictor, store, journal, look, certificate.result())
            manifest |= write_results(self._folder, scan, settings.format_names, manifest, begun)
        timing = {name: round(value, 2) for name, value in {**seconds, "all": time.monotonic() - started}.items()}
        manifest["seconds_of_this_run"] = timing
        write_manifest(self._folder, manifest)
        fractions = {phase.name: phase.porosity for phase in phases}
        if store.labelled:
            journal.finish({"area_fractions": {name: one.porosity for name, one in fractions.items()}})
        else:
            journal.finish({"porosity": fractions[PORE].porosity})
        self._coarse_file(journal).unlink(missing_ok=True)
        self._log_results(fractions, manifest, look)
        return fractions

    def _manifest(
        self, predictor: ChunkPredictor, store: ScanStore, journal: Journal, look: FirstLook, seam: dict[str, Any]
    ) -> dict[str, Any]:
        """What produced the results, but for what is measured of single objects."""
        volume, foreground, settings = predictor.volume, predictor.foreground, self._settings
        errors = {name: self._model.error_of(name) for name in store.phases}
        return {
            "request": journal.request,
            "checkpoint": str(self._model.path),
            "model": self._model.about,
            "model_error": {name: error.to_dict() for name, error in errors.items() if error is not None},
            "familiarity": look.to_dict(),
            "reads_prompt": self._model.reads_prompt,
            "acquisition": volume.acquisition.to_dict(),
            "scale_bar": None if self._scale_bar is None else self._scale_bar.to_dict(),
            "pixel_size_nm": self._side(volume),
            "slice_spacing_nm": self._slice_spacing(volume),
            "intensity": vars(foreground.normalisation.intensity),
            "shading": foreground.normalisation.drift,
            "skipped_share": foreground.skipped_share(store.plan),
            "seam_certificate": seam,
            "device": str(self._model.device),
            "worker": self._worker,
            "processes": self._ranks.count,
            "threads_of_a_process": torch.get_num_threads(),
            "batch": predictor.batch,
            "versions": versions(),
            "outputs": settings.outputs,
        }

    def _first_look(self, volume: ScanVolume, windows: Windows, foreground: Foreground) -> FirstLook:
        """Whether the model knows such scans, told before they are segmented."""
        look = FirstLook.at(self._model, volume, windows, foreground)
        log = logger.info if look.is_known else logger.warning
        log("%s: %s", self._path, look.said)
        return look

    @property
    def _journal_folder(self) -> Path:
        return self._folder / JOURNAL

    def _was_done(self, request: dict[str, Any], volume: ScanVolume) -> bool:
        if not Journal.is_finished(self._journal_folder, request):
            return False
        sizes = {"pixel_size_nm": self._side(volume), "slice_spacing_nm": self._slice_spacing(volume)}
        if done := was_written(self._folder, self._settings.outputs, sizes):
            report = self._folder / (REPORT if self._settings.report else OVERVIEW)
            logger.info("%s: already segmented, see %s; --overwrite segments it again", self._path, report)
        return done

    def _open(self) -> ScanVolume:
        if (path := printable(self._path)) != self._path:
            raise UserError(f"{path}: {'; '.join(NAME_IS_NO_TEXT)}")
        volume = open_volume(
            self._path,
            stack=self._settings.stack,
            page=self._settings.page,
            info_bar=self._settings.info_bar,
            invert=self._settings.invert,
            spill_dir=self._folder / "decoded",
        )
        if self._settings.pixel_size_nm == SCALE_BAR:
            self._scale_bar = take_scale_bar(volume)
        if self._ranks.is_first:
            logger.info("%s", volume.description)
            if self._settings.given_size_nm is None:
                logger.info("%s", volume.acquisition.describe())
            for warning in volume.acquisition.warnings:
                logger.warning("%s: %s", self._path, warning)
            log_voxel(volume, self._settings)
        return volume

    def _wants_size(self, volume: ScanVolume) -> bool:
        """Whether to look for a scale bar: the size of a pixel is not known, and no run has said so before."""
        known = pixel_size_of(volume, self._settings) is not None or (self._folder / MANIFEST).exists()
        return self._ranks.is_first and not known

    def _request(self, volume: ScanVolume) -> dict[str, Any]:
        earlier = Journal.request_in(self._journal_folder) or {}
        size = pixel_size_of(volume, self._settings)
        kept = {name: value for name, value in earlier.items() if not (self._overwrite and name == "mirror")}
        request = scan_request(volume, self._model, self._settings, size, kept, self._ranks.local_count)
        return request if self._overwrite else with_sizes_apart(request, earlier, self._folder)

    def _journal(self, request: dict[str, Any]) -> Journal:
        folder = self._journal_folder
        if not self._ranks.is_first:
            return Journal.join(folder, self._ranks.rank)
        journal = Journal.open(folder, request, self._overwrite)
        if journal.replaces:
            remove_earlier(self._folder)
        return journal

    def _store(self, plan: ChunkPlan, volume: ScanVolume, journal: Journal) -> ScanStore:
        path = self._folder / STORE
        if not self._ranks.is_first:
            return ScanStore.open(path, plan)
        return ScanStore.create(
            path,
            plan,
            journal.hash,
            pixel_size_nm=self._side(volume),
            slice_spacing_nm=self._slice_spacing(volume),
            replace=journal.replaces,
            phases=self._settings.names,
        )

    def _measured(self, volume: ScanVolume, windows: Windows, journal: Journal) -> Foreground:
        file = self._journal_folder / FOREGROUND
        settings = self._settings.prediction
        foreground = Foreground.kept(file, volume, windows, settings.skip_empty, settings.shading, journal.hash)
        if share := foreground.empty_share:
            logger.info("%.1f %% of the scan is empty", 100 * share)
        if drift := foreground.normalisation.drift:
            logger.info("shading removed: the rock was %+.2f to %+.2f standard deviations from the mean", *drift)
        return foreground

    def _coarse(
        self, volume: ScanVolume, windows: Windows, foreground: Foreground, journal: Journal
    ) -> CoarseMicrograph | None:
        """What a network that sees surroundings is shown of them, from a file: it may be larger than the memory."""
        if self._model.reach is None:
            return None
        seen = seen_around(volume, windows, foreground, self._model.reach)
        return CoarseMicrograph.kept(self._coarse_file(journal), volume, windows, foreground, seen)

    def _coarse_file(self, journal: Journal) -> Path:
        return self._journal_folder / f"surroundings-{journal.hash[:16]}.npy"

    def _segment(self, predictor: ChunkPredictor, store: ScanStore, journal: Journal) -> None:
        """Write this process's share of the chunks that are not in the journal."""
        left = self._ranks.first_does(lambda: chunks_left(store, journal))
        share = self._ranks.share(left)
        try:
            self._ranks.each_does(lambda: write_chunks(predictor, store, journal, self._settings.threshold, share))
        except KeyboardInterrupt:
            logger.warning("interrupted; run the same command again to resume after the last finished chunk")
            raise SystemExit(INTERRUPTED) from None

    def _side(self, volume: ScanVolume) -> float | None:
        """Side of a pixel (nm)."""
        return square_side(pixel_size_of(volume, self._settings))

    def _slice_spacing(self, volume: ScanVolume) -> float | None:
        """Distance of slices (nm)."""
        return slice_spacing_of(volume, self._settings)

    def _log_results(self, fractions: dict[str, Porosity], manifest: dict[str, Any], look: FirstLook) -> None:
        measured = manifest.get("phases") or {PORE: {"objects": manifest["pores"], "volume": manifest["volume"]}}
        for name, fraction in fractions.items():
            several = "pores" if name == PORE else "objects"
            found = measured.get(name, {})
            count = f", {found['objects']['pores']} {several}" if found.get("objects") else ""
            if count and found["volume"]:
                count = f", {found['volume']['connectivity']['pores']} 3-D {several}"
            self._say(f"{'porosity' if name == PORE else name} {fraction}{count}")
            if name == PORE and look.otsu_porosity is not None:
                self._say(f"  for comparison: by Otsu's threshold {look.otsu_porosity:.4f}")
            if found.get("note"):
                logger.info("%s: %s", name, found["note"])
        if not look.is_known:
            self._say(f"  {look.warned}")
        seam, skipped = manifest["seam_certificate"], manifest["skipped_share"]
        if seam["crops"]:
            logger.info(
                "seams: largest difference in probability %.4f, mean %.1e; %.4f %% of the mask changes (%d crops)",
                seam["largest"],
                seam["mean"],
                100 * seam["flipped"],
                seam["crops"],
            )
        if skipped:
            logger.info("%.1f %% of the region is empty and was not segmented", 100 * skipped)
        logger.info("results: %s", self._folder / (REPORT if self._settings.report else OVERVIEW))
