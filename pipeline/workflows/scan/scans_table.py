"""A folder of scans: where the results of each go, and the table and the page of all, written as scans finish."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.csv_tables import write_csv
from pipeline.errors import UserError
from pipeline.phases import PORE
from pipeline.report.scans_page import PAGE_MARK, ScanEntry, write_scans_page
from pipeline.wording import printable
from pipeline.workflows.scan.overall import INTERVAL, OverallFraction, cautions_of, overall_fractions
from pipeline.workflows.scan.results import MANIFEST, OVERVIEW, PHASES, POROSITY, REPORT, THUMBNAIL

SUMMARY, PAGE = "scans.csv", "scans.html"
SEGMENTED, FAILED = "segmented", "failed"
#: status of the last row of the table, which is about all scans together
OVERALL = "all"
#: table and page take at most this share of the time: there may be many thousand scans
_SHARE = 0.05


class ScansTable:
    """``scans.csv`` and ``scans.html`` of a folder of results.

    Args:
        folder: of all results.
        scans: in their order.
        phases: that are asked for.
        may_be_slices: whether the scans look like the slices of one volume.
    """

    def __init__(
        self, folder: Path, scans: Sequence[Path], phases: Sequence[str] = (PORE,), may_be_slices: bool = False
    ) -> None:
        self._folder, self._scans, self._may_be_slices = folder, list(scans), may_be_slices
        self._columns = ["porosity"] if tuple(phases) == (PORE,) else list(phases)
        self.results = [folder / name for name in folders_of(self._scans)]
        self._rows: dict[int, dict[str, Any]] = {}
        self._next = 0.0

    def check(self, overwrite: bool) -> None:
        """Refuse to replace a table or a page of others.

        Raises:
            UserError: there is one.
        """
        for path, is_ours in ((self._folder / SUMMARY, _is_summary), (self._folder / PAGE, _is_page)):
            if path.exists() and not overwrite and not is_ours(path):
                raise UserError(
                    f"{path} was not written by vlsenet: choose another --output_dir, or give --overwrite to replace it"
                )

    @property
    def problems(self) -> list[str]:
        """Of the scans that failed, in the scans' order."""
        return [row["problem"] for _, row in sorted(self._rows.items()) if row["status"] == FAILED]

    def add(self, number: int, problem: str | None) -> Mapping[str, Any]:
        """Take in a scan that ended; returns its row.

        Args:
            number: of the scan.
            problem: why it was not segmented; None: it was.
        """
        row: dict[str, Any] = {"scan": printable(self._scans[number].name)}
        if problem is None:
            row |= {"status": SEGMENTED, **_row(self.results[number])}
        else:
            row |= {"status": FAILED, "problem": problem}
        self._rows[number] = row
        if (now := time.monotonic()) >= self._next:
            self.write()
            self._next = time.monotonic() + (time.monotonic() - now) / _SHARE
        return row

    @property
    def overall(self) -> list[OverallFraction]:
        """The area fractions of all scans that were segmented, together; empty with fewer than two."""
        return overall_fractions(self._segmented, self._columns)

    @property
    def said(self) -> list[str]:
        """These in words, and what to know before one uses them; sentences without their full stops."""
        overall = self.overall
        cautions = cautions_of(self._segmented, self._may_be_slices) if overall else []
        return [*(one.said for one in overall), *cautions]

    @property
    def _segmented(self) -> list[dict[str, Any]]:
        return [row for row in self._rows.values() if row["status"] == SEGMENTED]

    def write(self) -> None:
        """Write both."""
        rows, overall = dict(sorted(self._rows.items())), self.overall
        last = [_overall_row(overall)] if overall else []
        table = pd.DataFrame([*rows.values(), *last]).convert_dtypes()
        write_csv(self._folder / SUMMARY, table, "%.6f")
        entries = [self._entry(number, row) for number, row in rows.items()]
        write_scans_page(self._folder / PAGE, self._folder.absolute().name, entries, len(self._scans), self.said)

    def _entry(self, number: int, row: Mapping[str, Any]) -> ScanEntry:
        folder = self.results[number]
        there = [name for name in (REPORT, OVERVIEW) if row["status"] == SEGMENTED and (folder / name).exists()]
        small = row["status"] == SEGMENTED and (folder / THUMBNAIL).exists()
        link = f"{folder.name}/{there[0]}" if there else None
        return ScanEntry(row, link, f"{folder.name}/{THUMBNAIL}" if small else None)


def folders_of(scans: Sequence[Path]) -> list[str]:
    """A folder for each scan: its stem, or its whole name if another scan has the same stem.

    Names that differ only in case are the same on some disks.
    """
    names = [re.sub(r"(\.ome)?\.[^.]+$", "", scan.name) or scan.name for scan in scans]
    while True:
        counts = Counter([*(name.casefold() for name in names), SUMMARY, PAGE])
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


def _is_page(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as page:
            return PAGE_MARK in page.read(1000)
    except (OSError, UnicodeDecodeError):
        return False


def _row(folder: Path) -> dict[str, Any]:
    """What the table has of a finished scan."""
    manifest = json.loads((folder / MANIFEST).read_text())
    made = {
        "seconds": manifest["seconds_of_this_run"]["all"],
        "worker": manifest.get("worker"),
        "prompt": manifest["request"]["prompt"],
        "results": folder.name,
    }
    familiarity = (manifest.get("familiarity") or {}).get("level")
    if "phases" in manifest["request"]:
        made["prompt"] = ", ".join(made["prompt"])
        return {**_phase_columns(json.loads((folder / PHASES).read_text())), "familiarity": familiarity, **made}
    summary = json.loads((folder / POROSITY).read_text())
    pores = manifest["pores"] or {}
    low, high = summary["interval_95"] or (None, None)
    return {
        "porosity": summary["porosity"],
        "interval_95_low": low,
        "interval_95_high": high,
        "interval_95_is_of": summary.get("interval_95_is_of"),
        "otsu_porosity": summary.get("otsu_porosity"),
        "familiarity": familiarity,
        "rock_pixels": summary["rock_pixels"],
        "pores": pores.get("pores"),
        "pixel_size_nm": summary["pixel_size_nm"],
        **made,
    }


def _overall_row(overall: Sequence[OverallFraction]) -> dict[str, Any]:
    """The last row of the table, in its columns."""
    row: dict[str, Any] = {"scan": f"all {overall[0].scans} scans", "status": OVERALL}
    for one in overall:
        of_phase = "" if one.name == "porosity" else f"{one.name}: "
        low, high = one.interval or (None, None)
        row |= {one.name: one.fraction, f"{of_phase}interval_95_low": low, f"{of_phase}interval_95_high": high}
    is_of = INTERVAL if overall[0].interval is not None else None
    return {**row, "interval_95_is_of": is_of, "rock_pixels": overall[0].rock_pixels}


def _phase_columns(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a row that says what was measured of several phases: columns for each, with its name."""
    row: dict[str, Any] = {}
    for phase in summary["phases"]:
        low, high = phase["interval_95"] or (None, None)
        name = phase["phase"]
        row |= {name: phase["area_fraction"], f"{name}: interval_95_low": low, f"{name}: interval_95_high": high}
        row[f"{name}: objects"] = phase["objects"]
    return {**row, "rock_pixels": summary["rock_pixels"], "pixel_size_nm": summary["pixel_size_nm"]}
