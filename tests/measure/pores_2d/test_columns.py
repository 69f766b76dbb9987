from __future__ import annotations

import re

from pipeline.measure.pores_2d.pore_table import COLUMNS, table_columns
from tests.paths import ROOT

DOCS = ROOT / "docs" / "measurements.md"


def test_every_column_is_in_the_docs_with_its_unit() -> None:
    section = DOCS.read_text(encoding="utf-8").split("\n## ")[1]
    assert section.startswith("Columns")
    rows = [line.split("|")[1:4] for line in section.splitlines() if line.startswith("| `")]
    documented = {
        name: (unit.strip(), scaled.strip()) for names, unit, scaled in rows for name in re.findall("`(.+?)`", names)
    }
    assert list(documented) == [column.name for column in COLUMNS]
    scaled = {column.name: column.unit for column in table_columns(True)[len(COLUMNS) :]}
    for column in COLUMNS:
        unit, micrometres = documented[column.name]
        assert unit == column.unit
        name = "area_um2" if column.name == "area_px" else column.name.replace("_px", "_um")
        assert micrometres == scaled.pop(name, "")
    assert not scaled
