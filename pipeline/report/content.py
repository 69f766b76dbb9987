"""What a report says: plain data, to be laid out by `write_report`."""

from __future__ import annotations

from dataclasses import dataclass


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
