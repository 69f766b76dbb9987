"""The documentation site builds without a warning, all links in it lead somewhere, and the tutorials run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.paths import ROOT

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("sphinx", "myst_nb", "furo")),
    reason="the site needs pip install 'vlsenet[docs]'",
)
TUTORIALS = sorted(page.stem for page in (ROOT / "docs" / "tutorials").glob("*.md"))


def build(folder: Path, *settings: str) -> Path:
    """The site, with warnings as errors."""
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", *settings]
    words += ["-d", str(folder / "doctrees"), str(ROOT / "docs"), str(folder / "site")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "VLSENET_TUTORIALS": str(folder / "tutorials")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    return folder / "site"


class Page(HTMLParser):
    """The anchors of a page, and what it links to or shows."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif (tag, name) in (("a", "href"), ("link", "href"), ("img", "src"), ("script", "src")) and value:
                self.links.add(value)


def dead_links(site: Path) -> list[str]:
    """Links within the site to files or anchors that are not there."""
    pages = {file: Page(file) for file in site.rglob("*.html")}
    dead = []
    for file, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.exists() or (
                parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors | {"top"}
            ):
                dead.append(f"{file.relative_to(site)}: {link}")
    return dead


def test_the_site_builds_and_all_links_in_it_lead_somewhere(tmp_path: Path) -> None:
    site = build(tmp_path, "-D", "nb_execution_mode=off")
    assert dead_links(site) == []
    assert "no reports" in (site / "gallery.html").read_text(encoding="utf-8")
    commands = Page(site / "reference" / "commands.html")
    assert {"vlsenet-segment", "vlsenet-import-labels"} <= commands.anchors
    assert {"train-yaml", "scan-yaml"} <= Page(site / "reference" / "options.html").anchors
    # words of the glossary, once on a page
    for page, word in (
        ("sources", "betti-0-error"),
        ("guide/evaluation", "otsu"),
        ("guide/segmentation", "seam-certificate"),
    ):
        assert (site / f"{page}.html").read_text(encoding="utf-8").count(f"glossary.html#{word}") == 1


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<p id="there"><a href="b.html#gone"></a><a href="#there"></a><img src="no.png">')
    (tmp_path / "b.html").write_text('<a href="a.html#there"></a><a href="https://example.org/x"></a>')
    assert dead_links(tmp_path) == ["a.html: b.html#gone", "a.html: no.png"]


@pytest.mark.slow
def test_the_tutorials_run_and_fill_the_gallery(tmp_path: Path) -> None:
    site = build(tmp_path)
    assert dead_links(site) == []
    for name in TUTORIALS:
        shown = (site / "tutorials" / f"{name}.html").read_text(encoding="utf-8")
        assert "cell_output" in shown
        assert "Traceback" not in shown
        assert "error:" not in shown
    gallery = Page(site / "gallery.html")
    assert len([link for link in gallery.links if link.startswith("reports/") and link.endswith(".html")]) == 6
