from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def test_a_small_scan_is_equal_and_a_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pore_table

    monkeypatch.setattr(pore_table, "TILE", 256)
    pore_table.make_scan(tmp_path, 400, 256, 0.2, 1.5, True)
    ours, theirs = pore_table.ours(tmp_path, 400, 256), pore_table.theirs(tmp_path)
    assert ours["pores"] == theirs["pores"] > 100
    # of a process of several threads, the kernel's count is inexact by some pages
    assert ours["peak_mb"] >= ours["before_mb"] - 1 > 10
    differences = pore_table.compare(tmp_path)
    assert differences["area_px"] == 0
    assert max(differences.values()) < 1e-6

    table = pd.read_parquet(tmp_path / "pores.parquet")
    table.loc[7, "solidity"] *= 1 + 1e-9
    table.to_parquet(tmp_path / "pores.parquet")
    with pytest.raises(SystemExit, match="solidity"):
        pore_table.compare(tmp_path)
    table[1:].to_parquet(tmp_path / "pores.parquet")
    with pytest.raises(SystemExit, match="scikit-image has"):
        pore_table.compare(tmp_path)


def test_tiles_are_not_all_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pore_table

    monkeypatch.setattr(pore_table, "TILE", 256)
    pore_table.make_scan(tmp_path, 512, 256, 0.2, 1.5, True)
    rows = np.concatenate([np.load(path) for path in sorted(tmp_path.glob("rows-*.npy"))])
    tiles = {rows[y : y + 256, x : x + 256].tobytes() for y in (0, 256) for x in (0, 256)}
    assert len(tiles) == 4
    assert np.mean(rows >= 128) == pytest.approx(0.2, abs=0.01)
