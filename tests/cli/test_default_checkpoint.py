from __future__ import annotations

from importlib.metadata import PackagePath
from pathlib import Path
from types import SimpleNamespace

import pytest

import pipeline
from pipeline import bundle_files
from pipeline.bundle_files import model_named
from pipeline.cli import paths
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


def test_the_model_that_comes_along_is_the_last_resort(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an installed wheel: packages in one place, the bundle's files in another."""
    packages, there = folder / "site-packages", folder / "share" / "vlsenet" / "bundle"
    for path in (packages / "pipeline", there / "models"):
        path.mkdir(parents=True)
    file = PackagePath("../share/vlsenet/bundle/models/model.pt")
    file.dist = SimpleNamespace(locate_file=lambda path: packages / path)
    monkeypatch.setattr(pipeline, "__file__", str(packages / "pipeline" / "__init__.py"))
    monkeypatch.setattr(bundle_files, "distribution", lambda name: SimpleNamespace(files=[file]))
    with pytest.raises(UserError, match="no model"):
        find_checkpoint(None)
    (there / "models" / "model.pt").touch()
    found, where = find_checkpoint(None)
    assert Path(found) == (there / "models" / "model.pt").resolve()
    assert "default model, which comes with vlsenet" in where
    (folder / "only.pt").touch()
    assert find_checkpoint(None) == ("only.pt", " (in this folder)")
    assert find_checkpoint("default") == (found, "")
    assert model_named("default") == found
    (folder / "default").touch()
    assert model_named("default") == "default"


def test_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "default_model", lambda: None)
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
