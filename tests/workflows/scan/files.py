"""What several tests of whole scans share."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.workflows import PredictionSettings, ScanSettings
from pipeline.workflows.items import Prompts


def files(folder: Path) -> dict[str, bytes]:
    """All bytes of the store."""
    store = folder / "segmentation.ome.zarr"
    content = {str(file.relative_to(store)): file.read_bytes() for file in store.rglob("*") if file.is_file()}
    return {name: data for name, data in content.items() if not name.endswith(".zattrs")}  # it holds the run's own mark


def settings_of(prompt: Prompts = "pore", threshold: float | tuple[float, ...] = 0.5, **given: Any) -> ScanSettings:
    """Settings of a scan, those of the engine among them."""
    names = {field.name for field in fields(PredictionSettings)}
    engine = PredictionSettings(**{name: value for name, value in given.items() if name in names})
    others = {name: value for name, value in given.items() if name not in names}
    thresholds = (threshold,) if isinstance(threshold, float) else threshold
    return ScanSettings(prompt, thresholds, engine, **others)


def scans_table(folder: Path) -> pd.DataFrame:
    """The rows of `scans.csv` that are about a scan each."""
    table = pd.read_csv(folder / "scans.csv")
    return table[table["status"] != "all"].dropna(axis="columns", how="all")
