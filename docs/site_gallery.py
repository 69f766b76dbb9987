"""The gallery: the reports that the tutorials left, copied into the site, and a card for each."""

from __future__ import annotations

import shutil
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class Report(NamedTuple):
    """A report: its page and a picture for its card, in the folder of the tutorial that made it."""

    title: str
    about: str
    tutorial: str
    page: str
    picture: str


REPORTS = (
    Report(
        "A scan",
        "vlsenet segment scan.tif: porosity, pores, sizes and directions",
        "segment",
        "my_results/sem_0001/report.html",
        "my_results/sem_0001/thumbnail.webp",
    ),
    Report(
        "A folder of scans",
        "vlsenet segment FOLDER: all scans of a folder on one page",
        "segment",
        "my_results/scans.html",
        "my_results/sem_0002/thumbnail.webp",
    ),
    Report(
        "Several phases",
        "the same with pore, organic matter and pyrite",
        "phases",
        "my_results/report.html",
        "my_results/thumbnail.webp",
    ),
    Report(
        "A stack",
        "slices as one volume: pores in space, connectivity",
        "stack",
        "my_results/report.html",
        "my_results/slices.png",
    ),
    Report(
        "An evaluation",
        "vlsenet evaluate: scores, and the worst images with their errors",
        "compare",
        "scores/vlsenet/report.html",
        "scores/vlsenet/overlays/*.png",
    ),
    Report(
        "A comparison",
        "vlsenet compare: which of several models is better, and how sure that is",
        "compare",
        "comparison/report.html",
        "comparison/figures/dots.png",
    ),
)
_CARD = """
<a class="report" href="{page}"><img src="{picture}" alt="" loading="lazy">
<strong>{title}</strong><span>{about}</span></a>"""
_NOT_BUILT = "<p>The tutorials were not run in this build of the site, so there are no reports.</p>"


def made(tutorials: Path) -> list[Report]:
    """The reports that are there, in the folders of the tutorials."""
    return [report for report in REPORTS if (tutorials / report.tutorial / report.page).is_file()]


def copy_reports(tutorials: Path, site: Path) -> None:
    """Copy them with what lies beside them, without the arrays, into `site`/reports."""
    without_arrays = shutil.ignore_patterns("*.zarr", "journal", "*.parquet")
    for tutorial, folder in sorted({(one.tutorial, Path(one.page).parts[0]) for one in made(tutorials)}):
        shutil.copytree(
            tutorials / tutorial / folder,
            site / "reports" / tutorial / folder,
            ignore=without_arrays,
            dirs_exist_ok=True,
        )


def cards(tutorials: Path) -> str:
    """HTML of the cards."""

    def card(report: Report) -> str:
        folder = tutorials / report.tutorial
        picture = sorted(folder.glob(report.picture))[0].relative_to(tutorials)
        return _CARD.format(
            page=f"reports/{report.tutorial}/{report.page}",
            picture=f"reports/{picture.as_posix()}",
            title=escape(report.title),
            about=escape(report.about),
        )

    return "".join(map(card, made(tutorials))) or _NOT_BUILT


def connect(app: Sphinx, tutorials: Path) -> None:
    """Fill the page `gallery` of the site, after the tutorials were run."""

    def fill(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
        if page == "gallery":
            context["body"] = context["body"].replace('<div id="reports">', f'<div id="reports">{cards(tutorials)}')

    app.connect("env-get-outdated", lambda *_: ["gallery"])
    app.connect("html-page-context", fill)
    app.connect("build-finished", lambda app, failed: failed or copy_reports(tutorials, Path(app.outdir)))
