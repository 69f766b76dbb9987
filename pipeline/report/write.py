"""A report as one HTML file, and its figures as pictures."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from pipeline.atomic import atomic_path
from pipeline.report.content import ReportContent

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
