"""The bundle command that segments scans, one, a stack, or a folder of them, and logs their results to MLflow."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.data.pairs import sentence_of
from pipeline.errors import UserError
from pipeline.files import atomic_path, write_text
from pipeline.images import inputs_of, scans_in
from pipeline.images.formats import is_zarr
from pipeline.measure.pores_2d import CSV
from pipeline.phases import PORE, metric_of
from pipeline.text import clean_prompt
from pipeline.tracking.outbox import Outbox
from pipeline.tracking.stores import check_store, kept_address
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.wording import printable
from pipeline.workflows.items import Prompts
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.ranks import Ranks
from pipeline.workflows.scan.finished import refuse_own_input, warn_of_folder, without_results
from pipeline.workflows.scan.request import ScanSettings
from pipeline.workflows.scan.results import (
    FIGURES,
    MANIFEST,
    OVERVIEW,
    PHASE_TABLE,
    PHASES,
    POROSITY,
    REPORT,
    TRACKED,
)
from pipeline.workflows.scan.segmentation import ScanSegmentation

logger = logging.getLogger("vlsenet")

SUMMARY = "scans.csv"


class ScanCommand:
    """Segments what ``input`` names into ``output_dir``.

    A folder of scans gives a folder of results for each, and ``scans.csv``. Finished scans are left alone, and a scan
    that can't be segmented does not stop the others. MLflow is sent the results that it does not have yet, including
    those of scans finished earlier.

    Args:
        path: a scan, a Zarr, or a folder.
        output_dir: folder of the results.
        model: what segments.
        settings: how.
        text_weights: local weights of the text tower, for prompts that the model does not know.
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
        text_weights: str | None,
        ranks: Ranks,
        overwrite: bool,
        tracking_uri: str | None = None,
        experiment_name: str = "scans",
    ) -> None:
        self._path, self._folder = path, Path(output_dir)
        self._model, self._settings, self._text_weights = model, settings, text_weights
        self._ranks, self._overwrite = ranks, overwrite
        self._tracking_uri, self._experiment_name = tracking_uri, experiment_name
        self._prompts: dict[str, Prompts] = {}

    def run(self) -> None:
        """Segment, or resume.

        Raises:
            UserError: a scan can't be segmented, which is raised after all others were; or the MLflow store can't be
                right. One that is away is sent the results later.
        """
        if self._ranks.is_first and self._tracking_uri is not None:
            check_store(self._tracking_uri)
        with self._ranks.joined():
            scans = [] if self._settings.stack else without_results(scans_in(self._path))
            self._ask([str(scan) for scan in scans] or [self._path])
            folder = Path(self._path)
            if folder.is_dir() and not is_zarr(folder):
                self._ranks.first_does(lambda: warn_of_folder(folder, self._folder, self._settings.stack))
            if scans:
                problems = self._folder_of(scans)
            else:
                self._ranks.first_does(lambda: refuse_own_input(inputs_of(self._path), [self._folder]))
                self._segment(self._path, self._folder)
                problems = []
        if problems:
            raise UserError("\n".join(problems))

    def _ask(self, scans: Sequence[str]) -> None:
        """Learn the text of each scan, before the first is read."""
        for scan in scans:
            own = sentence_of(Path(scan)) if self._settings.sentences else None
            self._prompts[scan] = clean_prompt(own) if own else self._settings.prompt
        self._model.ask(list(self._prompts.values()), self._settings.sentences, self._text_weights)

    def _segment(self, path: str, folder: Path) -> None:
        ScanSegmentation(
            path,
            folder,
            self._model,
            replace(self._settings, prompt=self._prompts[path]),
            self._ranks,
            self._overwrite,
        ).run()
        if self._ranks.is_first and self._tracking_uri is not None:
            track_scan(folder, Path(path).name, self._tracking_uri, self._experiment_name)

    def _folder_of(self, scans: list[Path]) -> list[str]:
        """Segment each scan; returns the problems, one line each."""
        folders = _folders(scans)
        self._ranks.first_does(lambda: self._check_folders(scans, folders))
        rows: list[dict[str, object]] = []
        problems: list[str] = []
        for number, (scan, name) in enumerate(zip(scans, folders, strict=True)):
            folder = self._folder / name
            logger.info("scan %d of %d: %s", number + 1, len(scans), printable(str(scan)))
            try:
                self._segment(str(scan), folder)
            except UserError as error:
                if self._ranks.count > 1:  # the others wait where this one failed
                    raise
                logger.error("%s", error)
                problems.append(str(error))
                rows.append({"scan": printable(scan.name), "problem": str(error)})
                continue
            if self._ranks.is_first:
                rows.append({"scan": scan.name, **_row(folder)})
        if self._ranks.is_first:
            with atomic_path(self._folder / SUMMARY) as partial:
                pd.DataFrame(rows).convert_dtypes().to_csv(partial, index=False, float_format="%.6f")
            shown = "porosity" if self._settings.names == (PORE,) else "area fractions"
            logger.info("%s of %d scans: %s", shown, len(rows) - len(problems), self._folder / SUMMARY)
        return [f"{len(problems)} of {len(scans)} scans were not segmented:", *problems] if problems else []

    def _check_folders(self, scans: list[Path], folders: list[str]) -> None:
        refuse_own_input(scans, [self._folder / name for name in folders])
        summary = self._folder / SUMMARY
        if summary.exists() and not self._overwrite and not _is_summary(summary):
            raise UserError(
                f"{summary} was not written by vlsenet: choose another --output_dir, or give --overwrite to replace it"
            )


def _folders(scans: list[Path]) -> list[str]:
    """A folder for each scan: its stem, or its whole name if another scan has the same stem.

    Names that differ only in case are the same on some disks.
    """
    names = [re.sub(r"(\.ome)?\.[^.]+$", "", scan.name) or scan.name for scan in scans]
    while True:
        counts = Counter([*(name.casefold() for name in names), SUMMARY])
        unique = [name if counts[name.casefold()] == 1 else scan.name for name, scan in zip(names, scans, strict=True)]
        if unique == names:
            return names
        names = unique


def _is_summary(path: Path) -> bool:
    """Whether a table is one of segmented scans."""
    try:
        columns = set(pd.read_csv(path.absolute(), nrows=0).columns)
    except (OSError, ValueError):  # no text, or no table
        return False
    return "scan" in columns and bool(columns & {"results", "problem"})


def _row(folder: Path) -> dict[str, Any]:
    """The table's row for a finished scan."""
    manifest = json.loads((folder / MANIFEST).read_text())
    asked = {"prompt": manifest["request"]["prompt"], "results": folder.name}
    if "phases" in manifest["request"]:
        return {
            **_phase_columns(json.loads((folder / PHASES).read_text())),
            **asked,
            "prompt": ", ".join(asked["prompt"]),
        }
    summary = json.loads((folder / POROSITY).read_text())
    pores = manifest["pores"] or {}
    low, high = summary["interval_95"] or (None, None)
    return {
        "porosity": summary["porosity"],
        "interval_95_low": low,
        "interval_95_high": high,
        "interval_95_is_of": summary.get("interval_95_is_of"),
        "otsu_porosity": summary.get("otsu_porosity"),
        "familiarity": (manifest.get("familiarity") or {}).get("level"),
        "rock_pixels": summary["rock_pixels"],
        "pores": pores.get("pores"),
        "pixel_size_nm": summary["pixel_size_nm"],
        **asked,
    }


def _phase_columns(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a row that says what was measured of several phases: columns for each, with its name."""
    row: dict[str, Any] = {}
    for phase in summary["phases"]:
        low, high = phase["interval_95"] or (None, None)
        name = phase["phase"]
        row |= {name: phase["area_fraction"], f"{name}: interval_95_low": low, f"{name}: interval_95_high": high}
        row[f"{name}: objects"] = phase["objects"]
    return {**row, "rock_pixels": summary["rock_pixels"], "pixel_size_nm": summary["pixel_size_nm"]}


def track_scan(folder: Path, name: str, tracking_uri: str, experiment_name: str) -> None:
    """Log the results of a finished segmentation, once for each store and experiment; the mask stays where it is.

    What the store does not accept is kept in the folder, and sent when this is called again.

    Args:
        folder: of the results; ``mlflow_runs.json`` in it notes which stores have them.
        name: of the run.
        tracking_uri: MLflow store.
        experiment_name: MLflow experiment.
    """
    file = folder / TRACKED
    runs = json.loads(file.read_text()) if file.exists() else []
    place = {"tracking_uri": kept_address(tracking_uri), "experiment": experiment_name}
    if any(_in_earlier_form(place) == _in_earlier_form(run) for run in runs):
        Outbox(folder, tracking_uri, "").flush()
        return
    manifest = json.loads((folder / MANIFEST).read_text())
    parameters = {**manifest["request"], "checkpoint": manifest["checkpoint"], "device": manifest["device"]}
    if about := manifest.get("model"):
        parameters |= {"model": about["title"], "trained_on": about["trained_on"]}
    run = TrackedRun(tracking_uri, experiment_name, name, str(folder), parameters, {"vlsenet": "scan"})
    run.start({MANIFEST: manifest}, after_work=True)
    numbers = {
        **_fractions(folder),
        "pixel_size_nm": manifest["pixel_size_nm"],
        "pores": (manifest["pores"] or {}).get("pores"),
        "skipped_share": manifest["skipped_share"],
        "seam_largest": manifest["seam_certificate"].get("largest"),
        "seconds": manifest["seconds_of_this_run"]["all"],
    }
    run.log_metrics({key: value for key, value in numbers.items() if value is not None})
    run.log_files([folder / name for name in _RESULTS if (folder / name).exists()], "results")
    run.log_files(sorted((folder / FIGURES).glob("*.png")), FIGURES)
    run.finish("FINISHED")
    write_text(file, json.dumps([*runs, {**place, "run_id": run.run_id}], indent=2))


#: files that a run gets
_RESULTS = (REPORT, OVERVIEW, POROSITY, CSV, PHASES, PHASE_TABLE)


def _fractions(folder: Path) -> dict[str, float | None]:
    """The area fraction of each phase with its interval, by MLflow's names of metrics."""
    found: dict[str, float | None] = {}
    if (folder / POROSITY).exists():
        found |= _named("porosity", json.loads((folder / POROSITY).read_text()), "porosity")
    if (folder / PHASES).exists():
        for phase in json.loads((folder / PHASES).read_text())["phases"]:
            found |= _named(metric_of(phase["phase"], "area_fraction"), phase, "area_fraction")
            if phase["objects"] is not None:
                found[metric_of(phase["phase"], "objects")] = phase["objects"]
    return found


def _named(name: str, summary: Mapping[str, Any], key: str) -> dict[str, float | None]:
    low, high = summary["interval_95"] or (None, None)
    return {name: summary[key], f"{name}_low": low, f"{name}_high": high}


def _in_earlier_form(run: dict[str, str]) -> tuple[str, str]:
    """Store and experiment of a note; those of earlier versions lack the user's name too."""
    return re.sub(r"://[^/@]*@", "://", run["tracking_uri"]), run["experiment"]
