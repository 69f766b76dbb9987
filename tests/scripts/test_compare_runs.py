from __future__ import annotations

from pathlib import Path

import pytest

from scripts.compare_runs import run


@pytest.mark.parametrize("stores", [["{}"], ["--tracking_uri", "{}"], ["--tracking_uri={}"]])
def test_stores_may_be_named_by_an_option(
    stores: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(tmp_path) for word in stores]
    assert run([*words, "--output_dir", str(tmp_path / "out")]) == 1
    assert f"{tmp_path}: no mlflow.db found" in capsys.readouterr().err
