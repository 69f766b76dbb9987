"""What several tests of whole scans share."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline.workflows import PredictionSettings, ScanSettings


def files(folder: Path) -> dict[str, bytes]:
    """All bytes of the store."""
    store = folder / "segmentation.ome.zarr"
    content = {str(file.relative_to(store)): file.read_bytes() for file in store.rglob("*") if file.is_file()}
    return {name: data for name, data in content.items() if not name.endswith(".zattrs")}  # it holds the run's own mark


def settings_of(prompt: str = "pore", threshold: float = 0.5, **given: Any) -> ScanSettings:
    """Settings of a scan, those of the engine among them."""
    names = {field.name for field in fields(PredictionSettings)}
    engine = PredictionSettings(**{name: value for name, value in given.items() if name in names})
    others = {name: value for name, value in given.items() if name not in names}
    return ScanSettings(prompt, threshold, engine, **others)
