"""The documentation site has every page; `make docs` builds it, with warnings as errors."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

from tests.paths import ROOT

DOCS = ROOT / "docs"
#: written when the site is built
MADE = {"reference/commands", "reference/options"}


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text()
    blocks = re.findall(r"```{toctree}\n(.*?)```", index, re.DOTALL)
    pages = {line for block in blocks for line in block.splitlines() if line and not line.startswith(":")}
    there = {file.relative_to(DOCS).with_suffix("").as_posix() for file in DOCS.rglob("*.md")} | MADE
    assert there - {"index"} == pages


def test_the_glossary_is_in_order() -> None:
    text = (DOCS / "glossary.md").read_text()
    words = re.findall(r"^([^\n:#].*)\n: ", text, re.MULTILINE)
    assert len(words) > 20
    assert words == sorted(words, key=str.casefold)


def test_what_the_site_includes_is_there() -> None:
    for file in DOCS.glob("*.md"):
        for path in re.findall(r"```{include} (\S+)", file.read_text()):
            assert Path(DOCS / path).is_file()


def test_what_the_guides_import_is_there() -> None:
    seen = 0
    for file in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for code in re.findall(
            r"^```(?:python|{code-cell} ipython3)\n(.*?)^```", file.read_text(), re.DOTALL | re.MULTILINE
        ):
            lines = [line for line in code.splitlines() if not line.startswith("!")]
            for node in ast.walk(ast.parse("\n".join(lines))):
                if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in ("pipeline", "vlsenet"):
                    seen += 1
                    module = importlib.import_module(str(node.module))
                    missing = [one.name for one in node.names if not hasattr(module, one.name)]
                    assert not missing, (file, node.module, missing)
    assert seen


def test_the_readme_states_the_speeds_that_were_measured() -> None:
    """One source: what README says of speed and memory stands in the results."""
    results, readme = (DOCS / "results.md").read_text(), (ROOT / "README.md").read_text()
    (said,) = re.findall(r"^- \*\*Speed\*\*.*?(?=^\n|^- |^#)", readme, re.DOTALL | re.MULTILINE)
    figures = re.findall(r"\d+\.\d+", said)
    assert len(figures) >= 7
    speed = results[results.index("## Speed") :]
    assert not [figure for figure in figures if figure not in speed]
