"""The files that a finished segmentation of a scan leaves for people and programs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from pipeline.engine import BlockCounts, ScanStore, export_nifti, export_tiff, request_hash
from pipeline.files import atomic_path, left_over, write_text
from pipeline.foreground.normalisation import GreyNormalisation
from pipeline.images import ChangedSource, ImageSource
from pipeline.images.volume import ScanVolume
from pipeline.measure.pores_2d import CSV, PARQUET, PoreSummary, StoredSegmentation, write_pore_table
from pipeline.measure.pores_3d import LABELS, VOLUME_CSV, VOLUME_FILES, VOLUME_PARQUET, StackSummary, measure_stack
from pipeline.measure.porosity import Porosity, block_counts
from pipeline.measure.table_files import read_table
from pipeline.report import PLOTS, Measures, report_of_scan, write_figures, write_report
from pipeline.report.pictures import write_overview

MANIFEST = "manifest.json"
POROSITY = "porosity.json"
FIELDS = "porosity_fields.csv"
OVERVIEW = "overview.png"
#: the bar that gave the pixel size, as it was read
SCALE_BAR_PICTURE = "scale_bar.png"
REPORT = "report.html"
FIGURES = "figures"
STORE = "segmentation.ome.zarr"
TIFF = "mask.ome.tif"
NIFTI = "mask.nii.gz"
JOURNAL = "journal"
#: which MLflow stores have the results
TRACKED = "mlflow_runs.json"
#: all files that may be in the folder of the store
FILES = (
    MANIFEST,
    POROSITY,
    FIELDS,
    OVERVIEW,
    SCALE_BAR_PICTURE,
    CSV,
    PARQUET,
    REPORT,
    TIFF,
    NIFTI,
    TRACKED,
    *VOLUME_FILES,
    *(f"{FIGURES}/{name}.png" for name in PLOTS),
)
#: temporary folders in which the pore tables are made
_BEGUN = (".pores-*", ".labels-*")
#: further files of the mask, by the name of their format
FORMATS = {"tiff": TIFF, "nifti": NIFTI}


@dataclass(frozen=True)
class SegmentedScan:
    """A scan and its finished segmentation.

    Attributes:
        volume: the scan.
        store: with its pyramid.
        entries: of the journal, of all chunks.
        porosity: of the scan.
        pixel_size_nm: side of a pixel (nm), if known.
        slice_spacing_nm: distance of slices (nm), if known.
        normalisation: of the scan as it is stored, by which pictures show blank ground; None: as it is.
    """

    volume: ScanVolume
    store: ScanStore
    entries: Mapping[int, BlockCounts]
    porosity: Porosity
    pixel_size_nm: float | None
    slice_spacing_nm: float | None
    normalisation: GreyNormalisation | None = None

    @contextmanager
    def pictured(self, slice_: int) -> Iterator[ImageSource]:
        """A slice as pictures show it, with blank ground clipped: next to a value of -9999, rock has no contrast."""
        with self.volume.slice(slice_, as_stored=True) as source:
            yield source if self.normalisation is None else ChangedSource(source, self.normalisation.clipped)


def write_summary(folder: Path, scan: SegmentedScan) -> None:
    """Write porosity and overview, which need no measurement of single pores."""
    volume, porosity = scan.volume, scan.porosity
    summary = {**porosity_summary(porosity), "pixel_size_nm": scan.pixel_size_nm}
    write_text(folder / POROSITY, json.dumps(summary, indent=2, allow_nan=False))
    with atomic_path(folder / FIELDS) as partial:
        _fields(scan).to_csv(partial, index=False, float_format="%.6f")
    middle = volume.depth // 2
    with scan.pictured(middle) as source:
        write_overview(folder / OVERVIEW, source, scan.store, porosity, slice_=middle, rows=volume.rows)


def write_results(
    folder: Path, scan: SegmentedScan, formats: Sequence[str], min_area_px: int | None, manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """Write table of pores, report, and the formats asked for.

    Args:
        folder: of the results.
        scan: segmented.
        formats: of `FORMATS`.
        min_area_px: smallest pore in the table (px); None: no table, and no report.
        manifest: what the report says of how it was made.

    Returns:
        For the manifest: `pores`, what the table holds, and of a stack `volume`, what was measured in 3-D; None where
        there is no report.
    """
    store = scan.store
    measured: dict[str, Any] = {"pores": None, "volume": None}
    if min_area_px is not None:
        if scan.volume.depth > 1:
            measured["volume"] = _measure_volume(folder, scan, labels="nifti" in formats).to_dict()
        pores = _write_table(folder, scan, min_area_px)
        measured["pores"] = asdict(pores)
        _write_report(folder, scan, pores, {**manifest, **measured})
    size, spacing = scan.pixel_size_nm, scan.slice_spacing_nm
    if "tiff" in formats:
        identity = request_hash(manifest["request"])
        export_tiff(store, folder / TIFF, pixel_size_nm=size, slice_spacing_nm=spacing, identity=identity)
    if "nifti" in formats:
        export_nifti(store, folder / NIFTI, pixel_size_nm=size, slice_spacing_nm=spacing)
    return measured


def _write_table(folder: Path, scan: SegmentedScan, min_area_px: int) -> PoreSummary:
    depth, height, _ = scan.store.plan.shape
    with tqdm(total=depth * height, unit="row", desc="measuring pores", delay=2, mininterval=1) as bar:
        return write_pore_table(
            StoredSegmentation(scan.store, scan.volume.rows),
            folder,
            pixel_size_nm=scan.pixel_size_nm,
            min_area_px=min_area_px,
            progress=bar.update,
        )


def _measure_volume(folder: Path, scan: SegmentedScan, labels: bool) -> StackSummary:
    with tqdm(total=scan.volume.depth, unit="slice", desc="measuring the volume", delay=2, mininterval=1) as bar:
        return measure_stack(
            folder,
            scan.volume,
            scan.store,
            rock_voxels=scan.porosity.rock,
            pixel_size_nm=scan.pixel_size_nm,
            slice_spacing_nm=scan.slice_spacing_nm,
            labels=labels,
            progress=bar.update,
        )


def _write_report(folder: Path, scan: SegmentedScan, pores: PoreSummary, manifest: Mapping[str, Any]) -> None:
    volume = scan.volume
    measures = Measures(
        store=scan.store,
        blocks=block_counts(scan.store.plan, scan.entries),
        porosity=scan.porosity,
        table=read_table(folder / PARQUET),
        manifest=manifest,
        pixel_size_nm=scan.pixel_size_nm,
        min_area_px=pores.min_area_px,
        dropped=pores.dropped,
        acquisition=volume.acquisition.to_dict(),
        bodies=read_table(folder / VOLUME_PARQUET) if volume.depth > 1 else None,
        shown_slice=volume.depth // 2,
    )
    with scan.pictured(measures.shown_slice) as source:
        report = report_of_scan(measures, source, volume.path)
    write_report(folder / REPORT, report)
    write_figures(folder / FIGURES, report.figures)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write what produced the results; it is the last file, and says that they are whole."""
    write_text(folder / MANIFEST, json.dumps(manifest, indent=2))


def remove_earlier(folder: Path) -> None:
    """Remove all files but the store before segmenting again: pictures and numbers of two runs never mix."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def remove_left_over(folder: Path) -> None:
    """Remove unfinished files of a killed run; no other run may be at work in the folder."""
    begun = [path for name in FILES for path in left_over(folder / name)]
    for path in [*begun, *(path for pattern in _BEGUN for path in folder.glob(pattern))]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def expected_files(outputs: Mapping[str, Any], is_stack: bool) -> list[str]:
    """The files of a finished segmentation; figures are not among them, as they need something to draw.

    Args:
        outputs: which are asked for (`ScanSettings.outputs`).
        is_stack: whether it is of several slices.
    """
    names = [MANIFEST, POROSITY, FIELDS, OVERVIEW]
    nifti = "nifti" in outputs["formats"]
    if outputs["report"]:
        names += [CSV, PARQUET, REPORT]
        if is_stack:
            names += [VOLUME_CSV, VOLUME_PARQUET, *([LABELS] if nifti else [])]
    return [*names, *(file for name, file in FORMATS.items() if name in outputs["formats"])]


def porosity_summary(porosity: Porosity) -> dict[str, Any]:
    """Porosity as JSON values; None where there is no rock, or no interval."""
    return {
        "porosity": porosity.porosity if porosity.rock else None,
        "interval_95": [porosity.low, porosity.high] if np.isfinite(porosity.low) else None,
        "pore_pixels": porosity.pore,
        "rock_pixels": porosity.rock,
        "field_px": porosity.field,
    }


def _fields(scan: SegmentedScan) -> pd.DataFrame:
    """One row for each field of view: slice, upper left corner in the scan and size (px), rock pixels and porosity."""
    porosity, plan = scan.porosity, scan.store.plan
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
            "porosity": porosity.fields.ravel(),
        }
    )
