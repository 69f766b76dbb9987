from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.measure import table_files as sorting
from pipeline.measure.pores_2d.pore_table import ROW_TYPE
from pipeline.measure.table_files import SortedRows, in_groups


@pytest.mark.parametrize("in_memory", [1, 30, 100, 10_000])
def test_all_rows_come_back_in_order(in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_LEAST", 3)
    random = np.random.default_rng(0)
    rows = np.zeros(1000, ROW_TYPE)
    # nearly in order, but for one that ends last and began first
    rows["first"] = np.argsort(np.argsort(np.arange(1000) + random.integers(0, 90, 1000)))
    rows["first"][[0, -1]] = rows["first"][[-1, 0]]
    rows["area_px"] = rows["first"] * 3
    table = SortedRows(tmp_path, ROW_TYPE, in_memory)
    for part in np.array_split(rows, 37):
        table.add(part)
    spilled = len(list(tmp_path.iterdir()))
    assert (spilled > 0) == (in_memory < 1000)
    batches = list(table.batches())
    together = np.concatenate(batches)
    np.testing.assert_array_equal(together["first"], np.arange(1000))
    np.testing.assert_array_equal(together["area_px"], 3 * np.arange(1000))
    if spilled:
        assert max(map(len, batches)) <= max(3, in_memory // (spilled + 1)) * spilled + in_memory
    assert not list(tmp_path.iterdir())


def test_no_rows(tmp_path: Path) -> None:
    assert list(SortedRows(tmp_path, ROW_TYPE, 10).batches()) == []


def test_groups_do_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "GROUP", 10)
    rows = np.arange(47)
    for cuts in ([], [3, 5, 30], list(range(1, 47)), [0, 20, 20, 47]):
        groups = list(in_groups(np.split(rows, cuts)))
        assert [len(group) for group in groups] == [10, 10, 10, 10, 7]
        np.testing.assert_array_equal(np.concatenate(groups), rows)
    assert list(in_groups([rows[:0]])) == []
