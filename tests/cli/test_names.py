from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.paths import model_in, output_folder


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/scan.tif", "scan"),
        ("scan.ome.tiff", "scan"),
        ("v1.2.nii.gz", "v1.2"),
        ("scan.ome.zarr/", "scan"),
        ("https://host/data/scan.zarr/", "scan"),
        ("folder.v2/", "folder.v2"),
        ("folder.v2/..", None),
    ],
)
def test_results_are_named_after_what_goes_in(
    path: str, name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("folder.v2", "scan.ome.zarr"):
        (tmp_path / folder).mkdir()
    assert output_folder(path, "_pores") == f"{name or tmp_path.name}_pores"


def test_the_model_of_a_training(tmp_path: Path) -> None:
    assert model_in(str(tmp_path)) is None
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.pt").touch()
    assert model_in(str(tmp_path)) == str(tmp_path / "checkpoints" / "best.pt")
    assert model_in(str(tmp_path / "checkpoints" / "best.pt")) is None
