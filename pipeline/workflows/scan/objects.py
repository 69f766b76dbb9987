"""What is measured of the objects of each phase: the tables of all of them, and of a stack how they are connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.measure.pores_2d import PoreSummary, StoredSegmentation, write_pore_table
from pipeline.measure.pores_3d import StackSummary, measure_stack
from pipeline.measure.pores_3d.alignment import SliceShifts
from pipeline.measure.table_files import read_table
from pipeline.progress_bars import progress_bar
from pipeline.report.units import percent
from pipeline.workflows.scan.segmented import SegmentedPhase, SegmentedScan

#: of a phase that fills more of the rock, or of which one object holds more, the objects are not listed: it is what the
#: others lie in
_MOST = 0.5


@dataclass(frozen=True)
class PhaseObjects:
    """What was measured of the objects of a phase.

    Attributes:
        table: what the table holds; None: there is none.
        volume: of a stack, how they are connected.
        note: why there is no table, as a sentence.
    """

    table: PoreSummary | None
    volume: StackSummary | None = None
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        table = None if self.table is None else asdict(self.table)
        return {"objects": table, "volume": None if self.volume is None else self.volume.to_dict(), "note": self.note}


def measure_objects(folder: Path, scan: SegmentedScan, min_area_px: int, labels: bool) -> dict[str, PhaseObjects]:
    """Write the tables of the objects of all phases.

    Args:
        folder: of the results.
        scan: segmented.
        min_area_px: smallest object in a table (px).
        labels: of a stack, also write the labelled volume of each phase.

    Returns:
        By the names of the phases.
    """
    found: dict[str, PhaseObjects] = {}
    shifts: SliceShifts | None = None
    for phase in scan.phases:
        volume = _measure_volume(folder, scan, phase, labels, shifts) if scan.volume.depth > 1 else None
        shifts = shifts if volume is None else volume.shifts
        found[phase.name] = _with_table(folder, scan, phase, min_area_px, volume)
    return found


def _with_table(
    folder: Path, scan: SegmentedScan, phase: SegmentedPhase, min_area_px: int, volume: StackSummary | None
) -> PhaseObjects:
    share = phase.porosity.porosity
    note = None
    table: PoreSummary | None = None
    if not phase.is_pore and share > _MOST:
        note = f"It fills {percent(share)} of the rock: its objects are not listed."
    elif phase.is_pore or volume is None or (volume.connectivity.largest_share or 0) <= _MOST:
        table = _write_table(folder, scan, phase, min_area_px)
    largest = 0.0 if volume is None else volume.connectivity.largest_share or 0.0
    if volume is None and table is not None and not phase.is_pore:
        areas = read_table(folder / f"{phase.files.table}.parquet")["area_px"].to_numpy(np.int64)
        largest = float(areas.max(initial=0)) / max(1, table.area_px + table.dropped_area_px)
    if note is None and not phase.is_pore and largest > _MOST:
        note = f"One connected object holds {percent(largest)} of it: its objects are not listed."
    if note is None:
        return PhaseObjects(table, volume)
    for stem in (phase.files.table, phase.files.bodies):
        for suffix in ("csv", "parquet"):
            (folder / f"{stem}.{suffix}").unlink(missing_ok=True)
    return PhaseObjects(None, volume, note)


def _write_table(folder: Path, scan: SegmentedScan, phase: SegmentedPhase, min_area_px: int) -> PoreSummary:
    depth, height, _ = scan.store.plan.shape
    with progress_bar(total=depth * height, unit="row", desc=f"measuring {_called(phase)}", delay=2) as bar:
        return write_pore_table(
            StoredSegmentation(phase.store, scan.volume.rows),
            folder,
            pixel_size_nm=scan.pixel_size_nm,
            min_area_px=min_area_px,
            progress=bar.update,
            stem=phase.files.table,
        )


def _called(phase: SegmentedPhase) -> str:
    return "pores" if phase.is_pore else phase.name


def _measure_volume(
    folder: Path, scan: SegmentedScan, phase: SegmentedPhase, labels: bool, shifts: SliceShifts | None
) -> StackSummary:
    of = "" if phase.is_pore else f" of {phase.name}"
    with progress_bar(total=scan.volume.depth, unit="slice", desc=f"measuring the volume{of}", delay=2) as bar:
        return measure_stack(
            folder,
            scan.volume,
            phase.store,
            rock_voxels=phase.porosity.rock,
            **scan.sizes,
            labels=labels,
            progress=bar.update,
            phase=phase.name,
            files=phase.files,
            colour=phase.colour,
            shifts=shifts,
        )


def written_tables(folder: Path, scan: SegmentedScan, objects: Mapping[str, PhaseObjects]) -> list[str]:
    """The files of objects that there are, by which a later run knows whether one was removed."""
    of_phases = [name for phase in scan.phases if phase.name in objects for name in phase.files.names]
    return [name for name in of_phases if (folder / name).exists()]
