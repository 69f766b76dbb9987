"""The documentation site has every page; `make docs` builds it, with warnings as errors."""

from __future__ import annotations

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
