"""A finished segmentation, opened again from its folder alone: without its scan, without the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engine import BlockCounts, Journal, ScanStore
from pipeline.errors import UserError
from pipeline.images.rectangles import Rows
from pipeline.measure.pores_2d import MIN_AREA_PX
from pipeline.workflows.scan.results import JOURNAL, MANIFEST, STORE
from pipeline.workflows.scan.segmented import SegmentedPhase, segmented_phases


@dataclass(frozen=True)
class ReopenedScan:
    """What is known of a finished segmentation.

    Attributes:
        folder: of the results.
        store: mask and probability.
        phases: that were asked for.
        manifest: as in ``manifest.json``.
        entries: counts of all chunks.
    """

    folder: Path
    store: ScanStore
    phases: tuple[SegmentedPhase, ...]
    manifest: Mapping[str, Any]
    entries: Mapping[int, BlockCounts]

    @property
    def request(self) -> Mapping[str, Any]:
        """Of the journal."""
        return self.manifest["request"]

    @property
    def sizes(self) -> dict[str, Any]:
        """Pixel size and distance of slices (nm), as what writes files takes them."""
        return {name: self.manifest.get(name) for name in ("pixel_size_nm", "slice_spacing_nm")}

    @property
    def rows(self) -> Rows:
        """The rows of the scan that are imaged."""
        rows = self.request["imaged_rows"]
        return Rows(*rows) if isinstance(rows, list) else Rows(0, rows)

    @property
    def min_area_px(self) -> int:
        """Smallest object in the tables (px)."""
        return int(self.manifest.get("outputs", {}).get("min_pore_area_px", MIN_AREA_PX))

    @property
    def is_stack(self) -> bool:
        """Whether there are several slices."""
        return self.store.plan.depth > 1


def reopened(folder: Path) -> ReopenedScan:
    """Open the results of `vlsenet segment`.

    Args:
        folder: of one scan.

    Raises:
        UserError: it holds no finished segmentation, or that of several scans.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the results of vlsenet segment")
    found = Journal.finished_in(folder / JOURNAL)
    if found is None or not (folder / MANIFEST).is_file():
        raise UserError(f"{folder}: {_what_it_is(folder)}")
    request, entries = found
    manifest = {**json.loads((folder / MANIFEST).read_text(encoding="utf-8")), "request": request}
    store = ScanStore.finished(folder / STORE, request)
    side, distance = manifest.get("pixel_size_nm"), manifest.get("slice_spacing_nm")
    spacing = distance / side if side and distance else 1.0
    return ReopenedScan(folder, store, segmented_phases(store, entries, spacing), manifest, entries)


def _what_it_is(folder: Path) -> str:
    if (folder / JOURNAL).is_dir():
        return "its segmentation is not finished; run vlsenet segment again, which resumes"
    inside = sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST}"))
    if inside:
        return f"it holds the results of several scans; give one of them, such as {folder / inside[0]}"
    return "it holds no segmentation of a scan; give the folder that vlsenet segment wrote"
