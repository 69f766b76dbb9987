"""The page of a folder of scans, as a parser of HTML sees it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from pipeline.report.scans_page import PAGE_MARK, ScanEntry, write_scans_page


class Read(HTMLParser):
    """Rows of cells, each with its text and the value that it is sorted by; addresses of links and pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[list]] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        given = dict(attributes)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append(["", given.get("data-key")])
        self.addresses += [given[name] for name in ("href", "src") if name in given]

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1][0] += data.strip()


def test_a_row_for_each_scan_with_text_as_it_is(tmp_path: Path) -> None:
    measured = {"porosity": 0.123456, "interval_95_low": 0.1, "interval_95_high": 0.2, "pores": 7, "seconds": 12.34}
    entries = [
        ScanEntry({"scan": "a #1.tif", "status": "segmented", **measured}, "a #1/report.html", "a #1/thumbnail.webp"),
        ScanEntry({"scan": "<b>.tif", "status": "failed", "problem": "<b>.tif: it is <damaged>"}),
        ScanEntry({"scan": "c.tif", "status": "segmented", **measured, "pores": None}, "c/report.html"),
    ]
    write_scans_page(tmp_path / "scans.html", "rocks & <more>", entries, 5, ["porosity of all <2> scans 12 %"])
    page = (tmp_path / "scans.html").read_text()
    assert PAGE_MARK in page[:200]
    assert "5 scans: 2 segmented, 1 failed, 2 to do;" in page
    assert "<b>" not in page
    assert "Porosity of all &lt;2&gt; scans 12 %." in page
    read = Read(page)
    head, first, bad, third = read.rows
    names = ["", "scan", "status", "porosity", "95 % from", "to", "pores", "time (s)"]
    assert [text for text, _ in head] == names
    assert [text for text, _ in first[1:]] == [
        "a #1.tif",
        "segmented",
        "12.3\u00a0%",
        "10.0\u00a0%",
        "20.0\u00a0%",
        "7",
        "12.3",
    ]
    assert first[names.index("porosity")][1] == "0.123456"
    assert [text for text, _ in bad[1:]] == ["<b>.tif", "failed", "<b>.tif: it is <damaged>"]
    assert third[names.index("pores")] == ["", ""]
    assert {"a%20%231/report.html", "a%20%231/thumbnail.webp", "c/report.html", "scans.csv"} == set(read.addresses)


def test_columns_of_several_phases(tmp_path: Path) -> None:
    row = {"scan": "a", "status": "segmented", "silt grain": 0.5, "silt grain: interval_95_low": 0.4}
    write_scans_page(tmp_path / "scans.html", "rocks", [ScanEntry(row)], 1)
    head = Read((tmp_path / "scans.html").read_text()).rows[0]
    assert [text for text, _ in head][3:] == ["silt grain", "silt grain: 95 % from"]
