"""The page of a folder of scans: a row for each, with a small picture, that leads to its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pipeline.files import write_text
from pipeline.report.units import percent

#: near the beginning of each page, by which it is known
PAGE_MARK = '<meta name="generator" content="vlsenet scans">'
#: columns of the table that the page leaves to it
_LEFT_OUT = {"scan", "status", "problem", "results", "prompt", "interval_95_is_of", "otsu_porosity", "rock_pixels"}
_NAMES = {
    "interval_95_low": "95 % from",
    "interval_95_high": "to",
    "pixel_size_nm": "pixel (nm)",
    "seconds": "time (s)",
    "familiarity": "known to the model",
}


@dataclass(frozen=True)
class ScanEntry:
    """What the page says of a scan.

    Attributes:
        row: of the table: `scan`, `status`, what was measured, or `problem`.
        link: to its report, from the page; None: there is none.
        thumbnail: from the page; None: there is none.
    """

    row: Mapping[str, Any]
    link: str | None = None
    thumbnail: str | None = None


@dataclass(frozen=True)
class _Cell:
    text: str
    key: str  # by which it is sorted


def write_scans_page(
    path: Path, title: str, entries: Sequence[ScanEntry], total: int, overall: Sequence[str] = ()
) -> None:
    """Write the page; it needs no network, and the pictures beside it.

    Args:
        path: of the page.
        title: of the page.
        entries: of the scans that ended.
        total: number of all scans, also those that wait.
        overall: what was found of all scans together, in sentences without their full stops.
    """
    columns = [name for name in dict.fromkeys(name for one in entries for name in one.row) if name not in _LEFT_OUT]
    folder = files("pipeline.report") / "page"
    template, style = ((folder / name).read_text(encoding="utf-8") for name in ("scans.html.j2", "report.css"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["address"] = quote
    page = environment.from_string(template).render(
        title=title,
        mark=Markup(PAGE_MARK),
        style=Markup(style),
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        columns=[_heading(name) for name in columns],
        rows=[(one, [_cell(name, one.row.get(name)) for name in columns]) for one in entries],
        failed=sum(one.row["status"] == "failed" for one in entries),
        waiting=total - len(entries),
        total=total,
        overall=[f"{said[:1].upper()}{said[1:]}." for said in overall],
    )
    write_text(path, page)


def _heading(name: str) -> str:
    phase, _, of_phase = name.rpartition(": ")
    return f"{phase}: {_NAMES.get(of_phase, of_phase)}" if phase else _NAMES.get(name, name)


def _cell(name: str, value: Any) -> _Cell:
    if value is None:
        return _Cell("", "")
    if isinstance(value, float):
        # what is not a size or a time is a share of the rock
        shown = {"seconds": f"{value:.1f}", "pixel_size_nm": f"{value:.4g}"}.get(name, percent(value))
        return _Cell(shown, repr(value))
    return _Cell(str(value), str(value))
