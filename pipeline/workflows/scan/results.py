"""The files that a finished segmentation of a scan leaves for people and programs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.csv_tables import write_csv
from pipeline.engine import export_nifti, export_tiff, request_hash
from pipeline.files import left_over, write_text
from pipeline.measure.object_files import PATTERNS, PORE_FILES
from pipeline.measure.pore_statistics import Survey, survey
from pipeline.measure.pores_2d import CSV, PARQUET
from pipeline.measure.pores_3d import LABELS, VOLUME_CSV, VOLUME_FILES, VOLUME_PARQUET
from pipeline.measure.porosity import Porosity
from pipeline.measure.table_files import read_table
from pipeline.phase_colours import as_hex
from pipeline.phases import PORE
from pipeline.report import PLOTS, Measures, begin_pictures, report_of_scan, write_figures, write_report
from pipeline.report.measures import NO_OBJECTS
from pipeline.report.overview import write_overview
from pipeline.report.pictures import Pictures
from pipeline.report.terms import Terms
from pipeline.workflows.scan.objects import PhaseObjects, measure_objects, written_tables
from pipeline.workflows.scan.segmented import SegmentedPhase, SegmentedScan

MANIFEST = "manifest.json"
POROSITY = "porosity.json"
FIELDS = "porosity_fields.csv"
#: where phases other than pore are asked for: what is known of each, the same as a table, and their fractions in fields
PHASES = "phases.json"
PHASE_TABLE = "phases.csv"
PHASE_FIELDS = "phase_fields.csv"
OVERVIEW = "overview.png"
THUMBNAIL = "thumbnail.webp"
#: the bar that gave the pixel size, as it was read
SCALE_BAR_PICTURE = "scale_bar.png"
REPORT = "report.html"
FIGURES = "figures"
STORE = "segmentation.ome.zarr"
TIFF = "mask.ome.tif"
NIFTI = "mask.nii.gz"
PHASES_TIFF = "phases.ome.tif"
PHASES_NIFTI = "phases.nii.gz"
JOURNAL = "journal"
#: which MLflow stores have the results
TRACKED = "mlflow_runs.json"
#: all files that may be in the folder of the store
FILES = (
    MANIFEST,
    POROSITY,
    FIELDS,
    OVERVIEW,
    THUMBNAIL,
    SCALE_BAR_PICTURE,
    CSV,
    PARQUET,
    REPORT,
    PHASES,
    PHASE_TABLE,
    PHASE_FIELDS,
    TIFF,
    NIFTI,
    PHASES_TIFF,
    PHASES_NIFTI,
    TRACKED,
    PORE_FILES.numbered,
    PORE_FILES.geojson,
    PORE_FILES.rois,
    *VOLUME_FILES,
    *(f"{FIGURES}/{name}.{suffix}" for name in PLOTS for suffix in ("png", "csv")),
)
#: files whose names hold that of a phase
_OF_PHASES = (*PATTERNS, *(f"{FIGURES}/*_{name}.{suffix}" for name in PLOTS for suffix in ("png", "csv")))
#: temporary folders in which the pore tables are made
_BEGUN = (".pores-*", ".labels-*")
#: further files of the mask, by the name of their format
FORMATS = {"tiff": TIFF, "nifti": NIFTI}
#: of the label image of several phases
FORMATS_OF_PHASES = {"tiff": PHASES_TIFF, "nifti": PHASES_NIFTI}


def write_summary(folder: Path, scan: SegmentedScan, otsu: float | None = None) -> None:
    """Write porosity, area fractions in fields of view and overview, which need no measurement of single objects.

    Args:
        folder: of the results.
        scan: segmented.
        otsu: porosity by Otsu's threshold, which stands beside as a check.
    """
    volume = scan.volume
    if scan.pore is not None:
        porosity = scan.pore.porosity
        summary = {**porosity_summary(porosity), "otsu_porosity": otsu, "pixel_size_nm": scan.pixel_size_nm}
        write_text(folder / POROSITY, json.dumps(summary, indent=2, allow_nan=False))
        write_csv(folder / FIELDS, _fields(scan, {"porosity": porosity}), "%.6f")
    if scan.store.labelled:
        write_csv(folder / PHASE_FIELDS, _fields(scan, {phase.name: phase.porosity for phase in scan.phases}), "%.6f")
    middle = volume.depth // 2
    with scan.pictured(middle) as source:
        write_overview(
            folder / OVERVIEW,
            source,
            scan.store,
            _fractions(scan),
            slice_=middle,
            rows=volume.rows,
            thumbnail=folder / THUMBNAIL,
        )


@dataclass(frozen=True)
class BegunReport:
    """A report that is asked for, and what it takes from pixels alone, made by another thread meanwhile.

    Attributes:
        min_area_px: smallest object in its tables (px).
        surveys: of each phase.
        pictures: of the scan.
    """

    min_area_px: int
    surveys: Mapping[str, Future[Survey]]
    pictures: Future[Pictures]


def begin_report(executor: Executor, scan: SegmentedScan, min_area_px: int) -> BegunReport:
    """Begin what takes long of a report, and needs no table of objects."""
    surveys = {phase.name: executor.submit(survey, phase.store, phase.blocks.rock) for phase in scan.phases}
    pictures = begin_pictures(executor, scan.store, scan.pictured, scan.volume.depth // 2, scan.pixel_size_nm)
    return BegunReport(min_area_px, surveys, pictures)


def write_results(
    folder: Path,
    scan: SegmentedScan,
    formats: Sequence[str],
    manifest: Mapping[str, Any],
    begun: BegunReport | None,
) -> dict[str, Any]:
    """Write tables of objects, report, and the formats asked for.

    Args:
        folder: of the results.
        scan: segmented.
        formats: of `FORMATS`.
        manifest: what the report says of how it was made.
        begun: the report; None: no table of objects, and no report.

    Returns:
        For the manifest: `pores`, what their table holds, and of a stack `volume`, what was measured in 3-D; None where
        there is no report. Where there are other phases, the same of each in `phases`, and the files in `tables`.
    """
    store = scan.store
    measured: dict[str, Any] = {"pores": None, "volume": None}
    objects: dict[str, PhaseObjects] = {}
    if begun is not None:
        objects = measure_objects(folder, scan, begun.min_area_px, labels="nifti" in formats)
        if PORE in objects:
            of_pores = objects[PORE].to_dict()
            measured |= {"pores": of_pores["objects"], "volume": of_pores["volume"]}
    if store.labelled:
        found = _phase_summaries(scan, objects, manifest["request"])
        write_text(folder / PHASES, json.dumps({**found, **scan.sizes}, indent=2, allow_nan=False))
        write_csv(folder / PHASE_TABLE, _phase_table(found["phases"]), "%.6f")
        measured["phases"] = {name: one.to_dict() for name, one in objects.items()} or None
        measured["tables"] = written_tables(folder, scan, objects)
    if begun is not None:
        _write_report(folder, scan, objects, {**manifest, **measured}, begun)
    names = FORMATS_OF_PHASES if store.labelled else FORMATS
    if "tiff" in formats:
        identity = request_hash(manifest["request"])
        export_tiff(store, folder / names["tiff"], **scan.sizes, identity=identity)
    if "nifti" in formats:
        export_nifti(store, folder / names["nifti"], **scan.sizes)
    return measured


def _write_report(
    folder: Path,
    scan: SegmentedScan,
    objects: Mapping[str, PhaseObjects],
    manifest: Mapping[str, Any],
    begun: BegunReport,
) -> None:
    measures = [_measures(folder, scan, phase, objects[phase.name], manifest, begun) for phase in scan.phases]
    report = report_of_scan(measures, scan.store, scan.pictured, scan.volume.path, begun.pictures)
    write_report(folder / REPORT, report)
    for phase, figures in zip(scan.phases, report.figures, strict=True):
        write_figures(folder / FIGURES, {f"{phase.files.figures}{name}": figure for name, figure in figures.items()})


def _measures(
    folder: Path,
    scan: SegmentedScan,
    phase: SegmentedPhase,
    objects: PhaseObjects,
    manifest: Mapping[str, Any],
    begun: BegunReport,
) -> Measures:
    table, files, volume = objects.table, phase.files, scan.volume
    bodies = table is not None and volume.depth > 1
    return Measures(
        store=phase.store,
        blocks=phase.blocks,
        porosity=phase.porosity,
        table=NO_OBJECTS if table is None else read_table(folder / f"{files.table}.parquet"),
        manifest={**manifest, "volume": objects.to_dict()["volume"]},
        pixel_size_nm=scan.pixel_size_nm,
        min_area_px=begun.min_area_px,
        dropped=None if table is None else table.dropped,
        acquisition=volume.acquisition.to_dict(),
        bodies=read_table(folder / f"{files.bodies}.parquet") if bodies else None,
        shown_slice=volume.depth // 2,
        terms=Terms(phase.name, volume.depth > 1, files.table),
        colour=phase.colour,
        note=objects.note,
        imaged_height=volume.rows.within(scan.store.plan.region).height,
        volume_files=(folder / files.surface, folder / files.volume),
        surveyed=begun.surveys[phase.name],
    )


def _fractions(scan: SegmentedScan) -> dict[str, Porosity]:
    return {phase.name: phase.porosity for phase in scan.phases}


def _phase_summaries(
    scan: SegmentedScan, objects: Mapping[str, PhaseObjects], request: Mapping[str, Any]
) -> dict[str, Any]:
    """What `phases.json` says: of each phase its number in the label image, colour, how it was asked for, and area."""
    prompts, thresholds = request["prompt"], request["threshold"]
    found = []
    for number, phase in enumerate(scan.phases):
        summary = porosity_summary(phase.porosity)
        measured = objects.get(phase.name)
        table = None if measured is None else measured.table
        volume = None if measured is None else measured.volume
        found.append(
            {
                "phase": phase.name,
                "value": number + 1,
                "colour": f"#{as_hex(phase.colour)}",
                "prompt": prompts[number],
                "threshold": thresholds[number],
                "area_fraction": summary["porosity"],
                "interval_95": summary["interval_95"],
                "interval_95_is_of": summary["interval_95_is_of"],
                "interval_95_field_to_field": summary["interval_95_field_to_field"],
                "pixels": summary["pore_pixels"],
                "objects": None if table is None else table.pores,
                "objects_3d": None if table is None or volume is None else volume.connectivity.pores,
                "note": None if measured is None else measured.note,
            }
        )
    return {"phases": found, "rock_pixels": scan.phases[0].porosity.rock, "field_px": scan.phases[0].porosity.field}


def _phase_table(phases: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    rows = []
    for phase in phases:
        low, high = phase["interval_95"] or (None, None)
        rows.append({**phase, "interval_95_low": low, "interval_95_high": high})
    columns = ["phase", "value", "area_fraction", "interval_95_low", "interval_95_high", "pixels", "objects"]
    if any(phase["objects_3d"] is not None for phase in phases):
        columns.append("objects_3d")
    return pd.DataFrame(rows)[[*columns, "note"]].convert_dtypes()


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write what produced the results; it is the last file, and says that they are whole."""
    write_text(folder / MANIFEST, json.dumps(manifest, indent=2))


def remove_earlier(folder: Path) -> None:
    """Remove all files but the store before segmenting again: pictures and numbers of two runs never mix."""
    for path in result_files(folder):
        path.unlink(missing_ok=True)


def result_files(folder: Path) -> list[Path]:
    """Files in the folder of results that are named as a segmentation names its own, but for the store."""
    of_phases = [path for pattern in _OF_PHASES for path in folder.glob(pattern)]
    return [*(path for name in FILES if os.path.lexists(path := folder / name)), *of_phases]


def remove_left_over(folder: Path, of_phases: Sequence[str] = ()) -> None:
    """Remove unfinished files of a killed run; no other run may be at work in the folder.

    Args:
        folder: of the results.
        of_phases: names of files that depend on the names of phases.
    """
    begun = [path for name in (*FILES, *of_phases) for path in left_over(folder / name)]
    for path in [*begun, *(path for pattern in _BEGUN for path in folder.glob(pattern))]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def expected_files(outputs: Mapping[str, Any], is_stack: bool, phases: Sequence[str] = (PORE,)) -> list[str]:
    """The files of a finished segmentation; figures are not among them, as they need something to draw, and tables of
    phases are in its manifest.

    Args:
        outputs: which are asked for (`ScanSettings.outputs`).
        is_stack: whether it is of several slices.
        phases: that were asked for.
    """
    names = [MANIFEST, OVERVIEW]
    nifti = "nifti" in outputs["formats"]
    if PORE in phases:
        names += [POROSITY, FIELDS]
    if outputs["report"]:
        names.append(REPORT)
    alone = tuple(phases) == (PORE,)
    if alone and outputs["report"]:
        names += [CSV, PARQUET]
        if is_stack:
            names += [VOLUME_CSV, VOLUME_PARQUET, *([LABELS] if nifti else [])]
    if not alone:
        names += [PHASES, PHASE_TABLE, PHASE_FIELDS]
    formats = FORMATS if alone else FORMATS_OF_PHASES
    return [*names, *(file for name, file in formats.items() if name in outputs["formats"])]


def porosity_summary(porosity: Porosity) -> dict[str, Any]:
    """Porosity as JSON values; None where there is no rock, or no interval.

    `interval_95` includes the model's own error where that is known, `interval_95_field_to_field` never does.
    """
    low, high = porosity.interval
    return {
        "porosity": porosity.porosity if porosity.rock else None,
        "interval_95": [low, high] if np.isfinite(low) else None,
        "interval_95_is_of": "sampling and model" if porosity.model_error is not None else "sampling alone",
        "interval_95_field_to_field": [porosity.low, porosity.high] if np.isfinite(porosity.low) else None,
        "pore_pixels": porosity.pore,
        "rock_pixels": porosity.rock,
        "field_px": porosity.field,
    }


def _fields(scan: SegmentedScan, fractions: Mapping[str, Porosity]) -> pd.DataFrame:
    """One row for each field of view: slice, upper left corner in the scan and size (px), rock pixels and fractions."""
    porosity, plan = next(iter(fractions.values())), scan.store.plan
    slices, rows, columns = np.indices(porosity.fields.shape).reshape(3, -1)
    y, x = rows * porosity.field, columns * porosity.field
    return pd.DataFrame(
        {
            "slice": slices,
            "y_px": plan.region.y + y,
            "x_px": plan.region.x + x,
            "height_px": np.minimum(porosity.field, plan.region.height - y),
            "width_px": np.minimum(porosity.field, plan.region.width - x),
            "rock_px": porosity.field_rock.ravel(),
            **{name: one.fields.ravel() for name, one in fractions.items()},
        }
    )
