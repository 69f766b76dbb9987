from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.paths import VARIABLE, find_checkpoint
from pipeline.errors import UserError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path


def test_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "only.pt").touch()
    assert find_checkpoint(None) == ("only.pt", " (in this folder)")
    (folder / "last.pt").touch()
    with pytest.raises(UserError, match=r"which model\? This folder holds last.pt, only.pt"):
        find_checkpoint(None)
    (folder / "best.pt").touch()
    assert find_checkpoint(None) == ("best.pt", " (in this folder)")
    monkeypatch.setenv(VARIABLE, "only.pt")
    assert find_checkpoint(None) == ("only.pt", f" ({VARIABLE})")
    assert find_checkpoint("last.pt") == ("last.pt", "")


def test_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "model.pt").mkdir()
    with pytest.raises(UserError, match=f"no best.pt in this folder.*--checkpoint.*{VARIABLE}"):
        find_checkpoint(None)
    monkeypatch.setenv(VARIABLE, "gone.pt")
    with pytest.raises(UserError, match=f"{VARIABLE} gone.pt: no such file"):
        find_checkpoint(None)


def test_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "run" / "checkpoints").mkdir(parents=True)
    with pytest.raises(UserError, match=r"^--checkpoint run: it is a folder; give best\.pt of a training$"):
        find_checkpoint("run")
    (folder / "run" / "checkpoints" / "best.pt").touch()
    monkeypatch.setenv(VARIABLE, "run/")
    with pytest.raises(UserError, match=f"^{VARIABLE} run/: it is a folder; give run/checkpoints/best.pt$"):
        find_checkpoint(None)
