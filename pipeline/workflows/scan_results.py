"""The files that a finished segmentation of a scan leaves for people and programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.atomic import atomic_path
from pipeline.scan.output import ScanStore, export_nifti, export_tiff
from pipeline.scan.overview import write_overview
from pipeline.scan.porosity import Porosity
from pipeline.scan.volume import ScanVolume

MANIFEST = "manifest.json"
POROSITY = "porosity.json"
STORE = "segmentation.ome.zarr"
#: further files that a segmentation can write, by the name of their format
FORMATS = ("tiff", "nifti")


def write_results(
    folder: Path,
    volume: ScanVolume,
    store: ScanStore,
    porosity: Porosity,
    formats: Sequence[str],
    pixel_size_nm: float | None,
    slice_spacing_nm: float | None,
) -> None:
    """Write porosity, overview and the formats asked for.

    Args:
        folder: of the results.
        volume: the scan.
        store: finished, with its pyramid.
        porosity: of the scan.
        formats: of `FORMATS`.
        pixel_size_nm: nanometres, if known.
        slice_spacing_nm: distance of slices, nanometres, if known.
    """
    summary = {**porosity_summary(porosity), "pixel_size_nm": pixel_size_nm}
    with atomic_path(folder / POROSITY) as partial:
        partial.write_text(json.dumps(summary, indent=2, allow_nan=False))
    with atomic_path(folder / "porosity_fields.csv") as partial:
        _fields(porosity).to_csv(partial, index=False, float_format="%.6f")
    middle = volume.depth // 2
    with volume.slice(middle) as source:
        write_overview(folder / "overview.png", source, store, porosity, middle)
    if "tiff" in formats:
        export_tiff(store, folder / "mask.ome.tif", pixel_size_nm=pixel_size_nm)
    if "nifti" in formats:
        path = folder / "mask.nii.gz"
        export_nifti(store, path, pixel_size_nm=pixel_size_nm, slice_spacing_nm=slice_spacing_nm)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write what produced the results; it is the last file, and says that they are whole."""
    with atomic_path(folder / MANIFEST) as partial:
        partial.write_text(json.dumps(manifest, indent=2))


def remove_earlier(folder: Path) -> None:
    """Remove what stands beside the store, before it is segmented anew: pictures and numbers of two runs never mix."""
    names = (MANIFEST, POROSITY, "porosity_fields.csv", "overview.png", "mask.ome.tif", "mask.nii.gz")
    for name in names:
        (folder / name).unlink(missing_ok=True)


def porosity_summary(porosity: Porosity) -> dict[str, Any]:
    """Porosity as JSON values; None where there is no rock, or no interval."""
    return {
        "porosity": porosity.porosity if porosity.rock else None,
        "interval_95": [porosity.low, porosity.high] if np.isfinite(porosity.low) else None,
        "pore_pixels": porosity.pore,
        "rock_pixels": porosity.rock,
        "field_px": porosity.field,
    }


def _fields(porosity: Porosity) -> pd.DataFrame:
    """One row for each field of view: slice, upper left corner (px), side (px) and porosity."""
    slices, rows, columns = np.indices(porosity.fields.shape).reshape(3, -1)
    places = {"slice": slices, "y": rows * porosity.field, "x": columns * porosity.field}
    return pd.DataFrame({**places, "side": porosity.field, "porosity": porosity.fields.ravel()})
