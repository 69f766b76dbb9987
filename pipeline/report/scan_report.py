"""The report of a finished segmentation: what it says, and its page and figures as files.

The page is Jinja2 with autoescape and a content policy that forbids every fetch; style and script are the package's
own, in plain JavaScript: a viewer library would be larger than all pictures. Plots are SVG with letters as paths, sharp
in print and the same whatever the reader's fonts; pictures are WebP of bounded size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from pipeline.engine import ScanStore
from pipeline.files import atomic_path, write_text
from pipeline.phase_colours import as_hex
from pipeline.report.key_figures import KeyFigure, phase_figures, scan_figures, section_figures, summary
from pipeline.report.measures import Measures, slice_shown, slices_pictured
from pipeline.report.method import REFERENCES, caveats, method, phase_caveats, scan_caveats
from pipeline.report.pictures import Opener, Pictures, pictures_of
from pipeline.report.plots import Plot, plots_of
from pipeline.report.tables import Facts, Table, facts, phase_table, tables
from pipeline.report.terms import Terms
from pipeline.report.volume_section import VolumeSection
from pipeline.visual.figure import data_uri, save_png, svg_uri


@dataclass(frozen=True)
class PhaseSection:
    """What a report says of one of several phases.

    Attributes:
        name: of the phase.
        colour: in the pictures, as in `#E69F00`.
        key_figures: its most important numbers.
        summary: sentences below them.
        volume: of a stack, what was measured in space; then plots and tables are about its slices.
        slice_figures: of a stack, numbers of the sections in its slices.
        plots: in reading order.
        tables: in reading order.
        caveats: what its numbers don't say, headings and paragraphs.
    """

    name: str
    colour: str
    key_figures: tuple[KeyFigure, ...]
    summary: tuple[str, ...]
    volume: VolumeSection | None
    slice_figures: tuple[KeyFigure, ...]
    plots: tuple[Plot, ...]
    tables: tuple[Table, ...]
    caveats: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, measures: Measures) -> PhaseSection:
        """What was measured of a phase, in words, tables and figures."""
        plots = plots_of(measures)
        volume = VolumeSection.of(measures, plots, measures.volume_files)
        return cls(
            measures.terms.phase,
            f"#{as_hex(measures.colour)}",
            phase_figures(measures),
            summary(measures),
            volume,
            section_figures(measures),
            plots if volume is None else tuple(plot for plot in plots if not plot.in_space),
            tables(measures),
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
        volume: of a stack of one phase, what was measured in space; then plots and tables are about its slices.
        slice_figures: likewise, numbers of the sections in its slices.
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
    volume: VolumeSection | None = None
    slice_figures: tuple[KeyFigure, ...] = ()

    @property
    def subject(self) -> str:
        """What it is about, for the page's title."""
        return "Phases" if self.sections else "Pores"

    @property
    def figures(self) -> list[dict[str, Figure]]:
        """The drawings of each phase by their names, to be saved as files or logged."""
        parts = [(one.volume, one.plots) for one in self.sections] or [(self.volume, self.plots)]
        return [
            {plot.name: plot.figure for plot in (*(() if volume is None else volume.plots), *plots)}
            for volume, plots in parts
        ]


def begin_pictures(
    executor: Executor, store: ScanStore, opened: Opener, shown: int, pixel_size_nm: float | None
) -> Future[Pictures]:
    """Pictures of a scan, made outside of Python's lock while others measure and draw.

    Args:
        executor: where.
        store: finished, with its pyramid.
        opened: gives the scan, or a slice of a stack.
        shown: number of the slice that is shown first.
        pixel_size_nm: if known.
    """
    depth = store.plan.depth
    which = slice_shown(shown, depth)
    caption = f"{which.capitalize()}." if which else ""
    return executor.submit(pictures_of, opened, store, shown, pixel_size_nm, caption, slices_pictured(shown, depth))


def report_of_scan(
    phases: Sequence[Measures],
    store: ScanStore,
    opened: Opener,
    path: str | None = None,
    pictures: Future[Pictures] | None = None,
) -> Report:
    """Put what was measured into words, tables, pictures and figures.

    Args:
        phases: what was measured of each phase of the scan; there is at least one.
        store: with all of them.
        opened: gives the scan, or a slice of a stack.
        path: what the user gave, if that is not what is opened.
        pictures: where they were begun before (`begin_pictures`).
    """
    measures = phases[0]
    with opened(measures.shown_slice) as source:
        name, file = source.name, source.path
    with ThreadPoolExecutor(1, thread_name_prefix="pictures") as executor:
        encoding = pictures or begin_pictures(executor, store, opened, measures.shown_slice, measures.pixel_size_nm)
        sections = tuple(PhaseSection.of(one) for one in phases)
        encoded = encoding.result()
    report = Report(
        title=Path(path or file).name or file,
        source=path or name,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        key_figures=scan_figures(measures),
        summary=(),
        pictures=encoded,
        plots=(),
        tables=(),
        method=method(measures),
        references=REFERENCES,
        caveats=caveats(measures),
        facts=facts(measures),
        notice=Notice.of(measures.manifest),
    )
    if not store.labelled:
        only = sections[0]
        return replace(
            report,
            key_figures=(*only.key_figures, *report.key_figures),
            summary=only.summary,
            volume=only.volume,
            slice_figures=only.slice_figures,
            plots=only.plots,
            tables=only.tables,
        )
    any_of_them = measures
    if len(store.phases) > 1:
        any_of_them = replace(measures, terms=Terms("the phase", measures.is_stack, "objects_*"))
    return replace(
        report,
        method=method(any_of_them, store.phases),
        caveats=scan_caveats(any_of_them),
        phase_table=phase_table(phases),
        sections=sections,
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
    environment.filters["whole_options"] = _whole_options
    environment.filters["webp"] = lambda data: data_uri("image/webp", data)
    environment.filters["svg"] = svg_uri
    # style and script are this package's, not a user's text
    page = environment.from_string(template).render(report=report, style=Markup(style), script=Markup(script))
    write_text(path, page)


def _whole_options(text: str) -> Markup:
    """Text in which no line ends within an option of a command, such as --output_dir."""
    return Markup(re.sub(r"(--\w+)", r'<span class="option">\1</span>', str(escape(text))))


def write_figures(folder: Path, figures: Mapping[str, Figure]) -> None:
    """Write each figure as PNG, by its name."""
    for name, figure in figures.items():
        with atomic_path(folder / f"{name}.png") as partial:
            save_png(figure, partial)
