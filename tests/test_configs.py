from __future__ import annotations

from importlib.metadata import PackageNotFoundError, PackagePath
from pathlib import Path
from types import SimpleNamespace

import pytest

import pipeline
from pipeline import bundle_files
from pipeline.bundle_files import config_files, config_folder
from pipeline.errors import UserError
from tests.paths import CONFIGS


def test_in_a_checkout_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_folder() == CONFIGS
    for command in ("train", "evaluate", "inference", "scan", "audit", "export"):
        assert all(Path(file).is_file() for file in config_files(command))


@pytest.mark.parametrize(
    ("site", "recorded"),
    [
        ("lib/python3.11/site-packages", "../../../share/vlsenet/bundle/configs/common.yaml"),
        ("", "share/vlsenet/bundle/configs/common.yaml"),  # pip install --target
    ],
)
def test_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str, recorded: str) -> None:
    packages = tmp_path / site
    (packages / "pipeline").mkdir(parents=True)
    there = tmp_path / "share" / "vlsenet" / "bundle" / "configs"
    there.mkdir(parents=True)
    monkeypatch.setattr(pipeline, "__file__", str(packages / "pipeline" / "__init__.py"))
    file = PackagePath(recorded)
    file.dist = SimpleNamespace(locate_file=lambda path: packages / path)
    monkeypatch.setattr(bundle_files, "distribution", lambda name: SimpleNamespace(files=[file]))
    with pytest.raises(UserError, match="not installed"):
        config_folder()
    (there / "common.yaml").touch()
    assert config_folder() == there.resolve()


def test_not_installed_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(pipeline, "__file__", str(tmp_path / "pipeline" / "__init__.py"))
    monkeypatch.setattr(bundle_files, "distribution", missing)
    with pytest.raises(UserError, match="pip install vlsenet"):
        config_folder()
