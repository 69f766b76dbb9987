"""What is done when a folder of results is there already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.scan.output import Journal
from pipeline.workflows.scan_results import MANIFEST


def refuse_foreign(folder: Path, journal: Path) -> None:
    """Refuse a folder with a manifest that no segmentation of a scan wrote.

    Raises:
        UserError: it is one.
    """
    if (folder / MANIFEST).exists() and Journal.request_in(journal) is None:
        raise UserError(f"{folder} holds a {MANIFEST} that is not of a segmented scan: choose another --output_dir")


def was_written(folder: Path, outputs: Mapping[str, Any]) -> bool:
    """Whether a finished segmentation has written all its results.

    Args:
        folder: of the results.
        outputs: which files are asked for (`ScanSettings.outputs`).

    Raises:
        UserError: it has, but not the same files.
    """
    manifest = folder / MANIFEST
    if not manifest.exists():
        return False
    written = json.loads(manifest.read_text()).get("outputs", {})
    if wrong := [f"--{name} {written.get(name)}" for name, value in outputs.items() if written.get(name) != value]:
        raise UserError(
            f"{folder} holds this segmentation, finished with {', '.join(wrong)}: --overwrite does it again, or choose "
            "another --output_dir"
        )
    return True
