"""The documentation site: the guides as they are, and a reference from the docstrings; `make docs` builds it."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import site_gallery  # noqa: E402
import site_glossary  # noqa: E402
import site_reference  # noqa: E402
from docutils import nodes  # noqa: E402

import pipeline  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def version_of_code() -> str:
    """What tells whether the tutorials would still give the same: a hash of the package, its configs and its model."""
    files = [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "bundle").rglob("*.*")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).hexdigest()[:12]


project, release = "VLSE-Net for rock SEM", pipeline.__version__
author = copyright = "VLSE-Net for rock SEM contributors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "myst-nb"}
html_theme = "furo"
html_title = project
html_static_path, html_css_files = ["_static"], ["site.css"]
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False

# the tutorials are notebooks: run when their code or the package's changes, and kept with what they write
BUILT = Path(os.environ.get("VLSENET_TUTORIALS", ROOT / "build" / "tutorials")) / version_of_code()
nb_execution_mode = "cache"
nb_execution_cache_path = str(BUILT / "cache")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

#: files outside of this folder that pages link to, and the pages that show them
_SHOWN_BY = {
    "../../bundle/models/README.md": "../default_model.md",
    "../bundle/models/README.md": "default_model.md",
    "../../CHANGELOG.md": "../changelog.md",
}
_BAR = re.compile(r"\d+%\|.*\|")


def _link_to_pages(app: Sphinx, name: str, source: list[str]) -> None:
    for file, page in _SHOWN_BY.items():
        source[0] = source[0].replace(f"]({file}", f"]({page}")


def _folder_of_tutorial(app: Sphinx, name: str, source: list[str]) -> None:
    """Where the kernel that runs this notebook begins; it inherits this process's environment."""
    os.environ["VLSENET_TUTORIAL"] = str(BUILT / Path(name).name)


def _tidy_outputs(app: Sphinx, doctree: nodes.document) -> None:
    """Outputs of notebooks lose progress bars, each of whose steps would be a line, and this machine's folders."""
    for block in [one for one in doctree.findall(nodes.literal_block) if "stream" in one["classes"]]:
        said = re.sub(rf"{re.escape(str(BUILT.resolve()))}/[^/]*/|{re.escape(str(ROOT))}/", "", block.astext())
        lines = [line for line in re.split(r"[\r\n]+", said) if line.strip() and not _BAR.search(line)]
        block.rawsource = "\n".join(lines)
        block[:] = [nodes.Text(block.rawsource)]
        if not lines:
            block.parent.remove(block)


def _quiet_kernels() -> Path:
    """Settings of the tutorials' kernels: they listen on this machine alone, and plain TCP will do."""
    folder = BUILT / "ipython"
    (folder / "profile_default").mkdir(parents=True, exist_ok=True)
    settings = "c.IPKernelApp.log_level = 40  # errors\n"
    (folder / "profile_default" / "ipython_kernel_config.py").write_text(settings)
    return folder


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    site_reference.write_pages(ROOT / "docs" / "reference")
    app.connect("source-read", _link_to_pages)
    app.connect("source-read", _folder_of_tutorial)
    app.connect("doctree-read", _tidy_outputs)
    site_glossary.connect(app)
    site_gallery.connect(app, BUILT)
    logging.getLogger("traitlets").setLevel(logging.WARNING)
    os.environ.update(
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        PYTHONPATH=os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        PYTHONSTARTUP=str(ROOT / "docs" / "tutorial_folder.py"),
        MLFLOW_DISABLE_TELEMETRY="true",
        IPYTHONDIR=str(_quiet_kernels()),
    )
