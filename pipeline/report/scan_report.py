"""The report of a finished segmentation: what it says, and its page and figures as files.

The page is Jinja2 with autoescape and a content policy that forbids every fetch; style and script are the package's
own, in plain JavaScript: a viewer library would be larger than all pictures. Plots are SVG with letters as paths, sharp
in print and the same whatever the reader's fonts; pictures are WebP of bounded size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from pipeline.files import atomic_path, write_text
from pipeline.images import ImageSource
from pipeline.report.key_figures import KeyFigure, key_figures, summary
from pipeline.report.measures import Measures
from pipeline.report.method import REFERENCES, caveats, method
from pipeline.report.pictures import Pictures, pictures_of
from pipeline.report.plots import Plot, plots_of
from pipeline.report.tables import Facts, Table, facts, tables
from pipeline.visual.figure import data_uri, svg_uri


@dataclass(frozen=True)
class Report:
    """What the report of a scan says, all of it text, pictures and figures.

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

    @property
    def figures(self) -> dict[str, Figure]:
        """The drawings by their names, to be saved as files or logged."""
        return {plot.name: plot.figure for plot in self.plots}


def report_of_scan(measures: Measures, source: ImageSource, path: str | None = None) -> Report:
    """Put what was measured into words, tables, pictures and figures.

    Args:
        measures: of the scan.
        source: the scan, or the slice of a stack that is shown.
        path: what the user gave, if `source` is a slice of it.
    """
    caption = f"{measures.shown.capitalize()}." if measures.shown else ""
    return Report(
        title=Path(path or source.path).name or source.path,
        source=path or source.name,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        key_figures=key_figures(measures),
        summary=summary(measures),
        pictures=pictures_of(source, measures.store, measures.shown_slice, measures.pixel_size_nm, caption),
        plots=plots_of(measures),
        tables=tables(measures),
        method=method(measures),
        references=REFERENCES,
        caveats=caveats(measures),
        facts=facts(measures),
    )


def write_report(path: Path, report: Report) -> None:
    """Write one HTML file that needs no network: pictures, style and script are in it.

    Args:
        path: of the file.
        report: what it says. Markup in a text, such as a file's name, is shown as it is, not obeyed.
    """
    folder = files("pipeline.report") / "page"
    template, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("report.html.j2", "report.css", "viewer.js")
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["webp"] = lambda data: data_uri("image/webp", data)
    environment.filters["svg"] = svg_uri
    # style and script are this package's, not a user's text
    page = environment.from_string(template).render(report=report, style=Markup(style), script=Markup(script))
    write_text(path, page)


def write_figures(folder: Path, figures: Mapping[str, Figure]) -> None:
    """Write each figure as PNG, by its name."""
    for name, figure in figures.items():
        with atomic_path(folder / f"{name}.png") as partial:
            figure.savefig(partial, format="png", dpi=200)
