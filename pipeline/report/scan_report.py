"""The report of a finished segmentation: what it says, and its page and figures as files.

The page is Jinja2 with autoescape and a content policy that forbids every fetch; style and script are the package's
own, in plain JavaScript: a viewer library would be larger than all pictures. Plots are SVG with letters as paths, sharp
in print and the same whatever the reader's fonts; pictures are WebP of bounded size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from pipeline.engine import ScanStore
from pipeline.files import atomic_path, write_text
from pipeline.images import ImageSource
from pipeline.phase_colours import as_hex
from pipeline.report.key_figures import KeyFigure, key_figures, phase_figures, scan_figures, summary
from pipeline.report.measures import Measures
from pipeline.report.method import REFERENCES, caveats, method, phase_caveats, scan_caveats
from pipeline.report.pictures import Pictures, pictures_of
from pipeline.report.plots import Plot, plots_of
from pipeline.report.tables import Facts, Table, facts, phase_table, tables, volume_table
from pipeline.report.terms import Terms
from pipeline.visual.figure import data_uri, svg_uri


@dataclass(frozen=True)
class PhaseSection:
    """What a report says of one of several phases.

    Attributes:
        name: of the phase.
        colour: in the pictures, as in `#E69F00`.
        key_figures: its most important numbers.
        summary: sentences below them.
        plots: in reading order.
        tables: in reading order.
        caveats: what its numbers don't say, headings and paragraphs.
    """

    name: str
    colour: str
    key_figures: tuple[KeyFigure, ...]
    summary: tuple[str, ...]
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]
    caveats: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, measures: Measures) -> PhaseSection:
        """What was measured of a phase, in words, tables and figures."""
        in_space = [volume_table(measures)] if measures.is_stack and measures.manifest.get("volume") else []
        return cls(
            measures.terms.phase,
            f"#{as_hex(measures.colour)}",
            phase_figures(measures),
            summary(measures),
            plots_of(measures),
            (*tables(measures), *in_space),
            phase_caveats(measures),
        )


@dataclass(frozen=True)
class Notice:
    """Whether the scan is like the model's training images.

    Attributes:
        level: `like`, `unlike`, `far off` or `unknown`.
        text: in a sentence, and what to do.
    """

    level: str
    text: str

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Notice | None:
        """As a manifest has it; None in those of earlier versions."""
        found = manifest.get("familiarity")
        return None if not found else cls(str(found["level"]), str(found["said"]))

    @property
    def style(self) -> str:
        """Name of the style that the page shows it in."""
        return self.level.replace(" ", "-")


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
        phase_table: of several phases, the share of each.
        sections: of several phases, one each; then `summary`, `plots` and `tables` are empty.
        notice: above the numbers.
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
    phase_table: Table | None = None
    sections: tuple[PhaseSection, ...] = ()
    notice: Notice | None = None

    @property
    def subject(self) -> str:
        """What it is about, for the page's title."""
        return "Phases" if self.sections else "Pores"

    @property
    def figures(self) -> list[dict[str, Figure]]:
        """The drawings of each phase by their names, to be saved as files or logged."""
        plots = [section.plots for section in self.sections] or [self.plots]
        return [{plot.name: plot.figure for plot in one} for one in plots]


def report_of_scan(
    phases: Sequence[Measures], store: ScanStore, source: ImageSource, path: str | None = None
) -> Report:
    """Put what was measured into words, tables, pictures and figures.

    Args:
        phases: what was measured of each phase of the scan; there is at least one.
        store: with all of them.
        source: the scan, or the slice of a stack that is shown.
        path: what the user gave, if `source` is a slice of it.
    """
    measures = phases[0]
    caption = f"{measures.shown.capitalize()}." if measures.shown else ""
    title = Path(path or source.path).name or source.path
    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    pictures = pictures_of(source, store, measures.shown_slice, measures.pixel_size_nm, caption)
    if not store.labelled:
        return Report(
            title=title,
            source=path or source.name,
            made=made,
            key_figures=key_figures(measures),
            summary=summary(measures),
            pictures=pictures,
            plots=plots_of(measures),
            tables=tables(measures),
            method=method(measures),
            references=REFERENCES,
            caveats=caveats(measures),
            facts=facts(measures),
            notice=Notice.of(measures.manifest),
        )
    any_of_them = replace(measures, terms=Terms("the phase", measures.is_stack, "objects_*"))
    return Report(
        title=title,
        source=path or source.name,
        made=made,
        key_figures=scan_figures(measures),
        summary=(),
        pictures=pictures,
        plots=(),
        tables=(),
        method=method(any_of_them, store.phases),
        references=REFERENCES,
        caveats=scan_caveats(any_of_them),
        facts=facts(measures, alone=False),
        phase_table=phase_table(phases),
        sections=tuple(PhaseSection.of(one) for one in phases),
        notice=Notice.of(measures.manifest),
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
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
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
