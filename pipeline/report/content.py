"""What a report says, as plain data, and its layout: one HTML file and its figures."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from pipeline.files import atomic_path


@dataclass(frozen=True)
class KeyFigure:
    """A number at the top of the report.

    Attributes:
        name: what it is.
        value: with its unit.
        note: one line below it.
    """

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Pictures:
    """The scan and what lies over it, of one size, as WebP.

    Attributes:
        scan: grey.
        overlay: pores, transparent elsewhere.
        probability: of pore, in colour.
        width: of the pictures, px.
        height: of the pictures, px.
        reduction: pixels of the scan for each pixel of the pictures, along a side.
        corner: x and y of their upper left corner in the scan, px.
        region: width and height of what they show, px of the scan.
        pixel_size_nm: of the scan, if known.
        caption: what is seen.
    """

    scan: bytes
    overlay: bytes
    probability: bytes
    width: int
    height: int
    reduction: int
    corner: tuple[int, int]
    region: tuple[int, int]
    pixel_size_nm: float | None
    caption: str


@dataclass(frozen=True)
class Plot:
    """A figure.

    Attributes:
        name: of its file, without suffix.
        title: a few words.
        caption: what it shows and what is to be seen.
        svg: the drawing.
    """

    name: str
    title: str
    caption: str
    svg: str


@dataclass(frozen=True)
class Table:
    """A table, all text.

    Attributes:
        title: a few words.
        caption: what the rows are.
        columns: heads, with units.
        rows: one text for each column.
        boxes: for each row x, y, width and height in the scan (px) of what it is about, to be shown in the picture, or
            None where it is not in it; empty where rows have no place.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    boxes: tuple[tuple[int, int, int, int] | None, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Names and values under a heading."""

    title: str
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReportContent:
    """A report.

    Attributes:
        title: of the page.
        source: the scan's path.
        made: date and time.
        key_figures: the most important numbers.
        summary: sentences below them.
        pictures: of the scan.
        plots: in reading order.
        tables: in reading order.
        method: headings and paragraphs.
        references: that they cite.
        caveats: what the numbers don't say, headings and paragraphs.
        facts: model, settings, image, versions.
    """

    title: str
    source: str
    made: str
    key_figures: tuple[KeyFigure, ...]
    summary: tuple[str, ...]
    pictures: Pictures
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]
    method: tuple[tuple[str, str], ...]
    references: tuple[str, ...]
    caveats: tuple[tuple[str, str], ...]
    facts: tuple[Facts, ...]


_PAGE = "report.html.j2"


def write_report(path: Path, content: ReportContent) -> None:
    """Write one HTML file that needs no network: pictures, style and script are in it.

    Args:
        path: of the file.
        content: what it says. All of it is text: markup in a file's name is shown, not obeyed.
    """
    environment = Environment(
        loader=PackageLoader("pipeline.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["webp"] = lambda data: _data("image/webp", data)
    environment.filters["svg"] = lambda text: _data("image/svg+xml", text.encode())
    # the package's own style and script, not text of the user's
    own = {name: Markup(_own_file(environment, name)) for name in ("report.css", "viewer.js")}
    page = environment.get_template(_PAGE).render(report=content, style=own["report.css"], script=own["viewer.js"])
    with atomic_path(path) as partial:
        partial.write_text(page, encoding="utf-8")


def write_figures(folder: Path, figures: Mapping[str, Figure]) -> None:
    """Write each figure as PNG, by its name."""
    for name, figure in figures.items():
        with atomic_path(folder / f"{name}.png") as partial:
            figure.savefig(partial, format="png", dpi=200)


def _own_file(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _data(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"
