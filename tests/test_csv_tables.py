"""Names in tables are texts to spreadsheet programs, and the same names again to what reads the tables here."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

from pipeline.csv_tables import as_cell, csv_text, of_cell, read_csv, read_csv_cells, write_csv, write_csv_rows
from pipeline.data.phases_file import read_phases_csv, write_phases_csv
from pipeline.data.split_file import write_split_csv
from pipeline.data.splits import read_split_csv
from pipeline.phases import LabelValues, Phase
from tests.paths import ROOT

#: what OWASP's page on CSV injection names: https://owasp.org/www-community/attacks/CSV_Injection
DANGEROUS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x"]
HARMLESS = ["a=b", "scan-1", "-12.5", "+3", "-1e-05", "-", "'quoted'", "", " x"]


@pytest.mark.parametrize("text", DANGEROUS)
def test_a_formula_is_marked_as_text(text: str) -> None:
    assert as_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [*HARMLESS, -1.5, None, True])
def test_all_else_stays_as_it_is(value: object) -> None:
    assert as_cell(value) is value
    assert of_cell(value) is value


@pytest.mark.parametrize("text", [*DANGEROUS, *HARMLESS, "'=1+1", "''-x", "'-1"])
def test_what_is_read_back_is_what_was_written(text: str) -> None:
    assert of_cell(as_cell(text)) == text


def test_a_table_has_no_formulas_and_comes_back(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["=x", "b", None], "=phase": [-0.5, 1, 2], "@note": ["-x", "y", "z"]})
    for one in (table, table.convert_dtypes()):
        path = tmp_path / "table.csv"
        write_csv(path, one, "%.6f")
        assert path.read_text() == csv_text(one, "%.6f")
        with path.open(newline="") as file:
            head, first, *_ = csv.reader(file)
        assert (head, first) == (["name", "'=phase", "'@note"], ["'=x", "-0.500000", "'-x"])
        pd.testing.assert_frame_equal(read_csv(path), table, check_dtype=False)
        assert read_csv_cells(path)[0] == {"name": "=x", "=phase": "-0.500000", "@note": "-x"}
    assert list(table["name"])[:2] == ["=x", "b"]  # what is written is not changed


def test_split_and_phases_that_people_edit_in_spreadsheets_name_the_same_images(tmp_path: Path) -> None:
    split, phases = tmp_path / "split.csv", tmp_path / "phases.csv"
    write_split_csv(split, [("=a", "@s", "train"), ("-b", "s", "val")])
    assert split.read_text() == "name,source,split\n'=a,'@s,train\n'-b,s,val\n"
    found = read_split_csv(split, {"=a", "-b"})
    assert not found.problems
    assert found.rows["=a"] == ("@s", "train")
    write_phases_csv(phases, LabelValues((Phase.of("pore"), Phase.of("+x")), ((2,), (3,))))
    assert "\n3,'+x" in phases.read_text()
    assert read_phases_csv(phases).names == ("pore", "+x")


def test_rows_are_written_in_the_same_way(tmp_path: Path) -> None:
    write_csv_rows(tmp_path / "rows.csv", [["name", "n"], ["=x", -1], ["-y", "2"]])
    assert (tmp_path / "rows.csv").read_text() == "name,n\n'=x,-1\n'-y,2\n"


def test_no_other_module_writes_or_reads_csv_by_itself() -> None:
    """Reading a user's own tables (`spreadsheet.py`) and tables of numbers alone (`table_files.py`) are apart."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pipeline").rglob("*.py")
        if re.search(r"\.to_csv\(|csv\.writer\(|DictReader\(|DictWriter\(|CSVWriter\(|pd\.read_csv\(", path.read_text())
    }
    assert found == {
        "pipeline/csv_tables.py",
        "pipeline/measure/table_files.py",
        "pipeline/workflows/scan/scans_table.py",  # only asks whether a table has certain columns
    }
