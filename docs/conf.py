"""The documentation site: the guides as they are, and a reference from the docstrings; `make docs` builds it."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pipeline  # noqa: E402
from pipeline.cli.main import COMMANDS, main  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project, author, release = "VLSE-Net for rock SEM", "the VLSE-Net for rock SEM developers", pipeline.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = project
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False

#: files outside of this folder that pages link to, and the pages that show them
_SHOWN_BY = {
    "../../bundle/models/README.md": "../default_model.md",
    "../bundle/models/README.md": "default_model.md",
    "../../CHANGELOG.md": "../changelog.md",
}


def _link_to_pages(app: Sphinx, name: str, source: list[str]) -> None:
    for file, page in _SHOWN_BY.items():
        source[0] = source[0].replace(f"]({file}", f"]({page}")


def _write_commands(app: Sphinx) -> None:
    """The help of every command as a page."""
    parts = ["# Commands\n\nWhat `vlsenet COMMAND --help` prints.\n"]
    for name in COMMANDS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([name, "--help"])
        parts.append(f"## vlsenet {name}\n\n```text\n{printed.getvalue().strip()}\n```\n")
    (Path(app.srcdir) / "reference" / "commands.md").write_text("\n".join(parts), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", _write_commands)
    app.connect("source-read", _link_to_pages)
