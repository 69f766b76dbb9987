from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from pipeline.report import Report, write_figures, write_report
from tests.report.conftest import NAME


class Page(HTMLParser):
    """Elements of a page with their attributes, and its text outside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text += data


@pytest.fixture(scope="module")
def written(report: Report, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, report)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written: str) -> Page:
    page = Page()
    page.feed(written)
    return page


def test_nothing_is_fetched(page: Page, written: str) -> None:
    for _, attributes in page.elements:
        for name in ("src", "href", "action", "data", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", written)
    policy = next(a["content"] for tag, a in page.elements if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:")


def test_markup_in_names_is_shown_not_obeyed(page: Page) -> None:
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert not any(tag == "b" for tag, _ in page.elements)
    assert NAME in page.text
    assert "<b>pore</b>" in page.text


def test_everything_is_in_the_page(page: Page, report: Report) -> None:
    for figure in report.key_figures:
        assert figure.value in page.text
        assert figure.note in page.text
    for plot in report.plots:
        assert plot.title in page.text
    for table in report.tables:
        assert all(cell in page.text for row in table.rows for cell in row)
    for _, text in (*report.method, *report.caveats):
        assert text in page.text
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert len(images) == 3 + len(report.plots)
    assert all(attributes["alt"] for attributes in images)


def test_one_small_file(written: str) -> None:
    assert len(written.encode()) < 4e6


def test_figures_are_png_files(report: Report, tmp_path: Path) -> None:
    write_figures(tmp_path / "figures", dict(list(report.figures[0].items())[:2]))
    files = sorted(file.name for file in (tmp_path / "figures").iterdir())
    assert files == ["orientation_rose.png", "size_distribution.png"]
    assert Image.open(tmp_path / "figures" / "size_distribution.png").size[0] > 800
