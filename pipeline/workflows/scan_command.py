"""The bundle command that segments scans: one, a stack, or a folder of them."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from pipeline.atomic import atomic_path
from pipeline.errors import UserError
from pipeline.scan.sources import scans_in
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.ranks import Ranks
from pipeline.workflows.scan import ScanSegmentation
from pipeline.workflows.scan_results import MANIFEST, POROSITY
from pipeline.workflows.scan_settings import ScanSettings
from pipeline.workflows.scan_tracking import track_scan

logger = logging.getLogger("vlsenet")

SUMMARY = "scans.csv"


class ScanCommand:
    """Segments what ``input`` names into ``output_dir``.

    A folder of scans gives a folder of results for each, and ``scans.csv``. Those that are finished are left alone, and
    one that can't be segmented does not keep the others from it.

    Args:
        path: a scan, a Zarr, or a folder.
        output_dir: folder of the results.
        model: what segments.
        settings: how.
        stack: whether a folder, or a file of several images, is one volume.
        page: which image of a file of several.
        device: where the network runs.
        ranks: the processes that work on it together.
        overwrite: replace finished segmentations, and those of other settings.
        tracking_uri: MLflow store for a run of each scan; None: none.
        experiment_name: of these runs.
    """

    def __init__(
        self,
        path: str,
        output_dir: str,
        model: TrainedModel,
        settings: ScanSettings,
        stack: bool,
        page: int | None,
        device: torch.device,
        ranks: Ranks,
        overwrite: bool,
        tracking_uri: str | None = None,
        experiment_name: str = "scans",
    ) -> None:
        self._path, self._folder = path, Path(output_dir)
        self._model, self._settings = model, settings
        self._stack, self._page = stack, page
        self._device, self._ranks, self._overwrite = torch.device(device), ranks, overwrite
        self._tracking_uri, self._experiment_name = tracking_uri, experiment_name

    def run(self) -> None:
        """Segment, or go on.

        Raises:
            UserError: a scan can't be segmented; of several, after all others were.
        """
        with self._ranks.joined():
            scans = [] if self._stack else scans_in(self._path)
            if scans:
                self._folder_of(scans)
            else:
                self._segment(self._path, self._folder)

    def _segment(self, path: str, folder: Path) -> None:
        porosity = ScanSegmentation(
            path,
            folder,
            self._model,
            self._settings,
            stack=self._stack,
            page=self._page,
            device=self._device,
            ranks=self._ranks,
            overwrite=self._overwrite,
        ).run()
        if porosity is not None and self._tracking_uri is not None:
            track_scan(folder, Path(path).name, self._tracking_uri, self._experiment_name)

    def _folder_of(self, scans: list[Path]) -> None:
        folders = _folders(scans)
        rows: list[dict[str, object]] = []
        problems: list[str] = []
        for number, (scan, name) in enumerate(zip(scans, folders, strict=True)):
            folder = self._folder / name
            logger.info("scan %d of %d: %s", number + 1, len(scans), scan)
            try:
                self._segment(str(scan), folder)
            except UserError as error:
                if self._ranks.count > 1:  # the others wait where this one failed
                    raise
                logger.error("%s", error)
                problems.append(str(error))
                rows.append({"scan": scan.name, "problem": str(error)})
                continue
            if self._ranks.is_first:
                rows.append({"scan": scan.name, **_row(folder)})
        if self._ranks.is_first:
            with atomic_path(self._folder / SUMMARY) as partial:
                pd.DataFrame(rows).to_csv(partial, index=False, float_format="%.6f")
            logger.info("porosity of %d scans: %s", len(rows) - len(problems), self._folder / SUMMARY)
        if problems:
            raise UserError("\n".join([f"{len(problems)} of {len(scans)} scans were not segmented:", *problems]))


def _folders(scans: list[Path]) -> list[str]:
    """A folder for each scan: its stem, with the suffix where two share one."""
    stems = [re.sub(r"(\.ome)?\.[^.]+$", "", scan.name) for scan in scans]
    return [stem if stems.count(stem) == 1 else scan.name for stem, scan in zip(stems, scans, strict=True)]


def _row(folder: Path) -> dict[str, Any]:
    """What the table tells of a finished scan."""
    summary = json.loads((folder / POROSITY).read_text())
    pores = json.loads((folder / MANIFEST).read_text())["pores"] or {}
    low, high = summary["interval_95"] or (None, None)
    return {
        "porosity": summary["porosity"],
        "interval_95_low": low,
        "interval_95_high": high,
        "rock_pixels": summary["rock_pixels"],
        "pores": pores.get("pores"),
        "pixel_size_nm": summary["pixel_size_nm"],
        "results": folder.name,
    }
