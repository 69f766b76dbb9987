"""Nothing of the user's is overwritten, and results that are gone are written again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import zarr

from pipeline.errors import UserError
from pipeline.workflows.scan.finished import refuse_foreign, refuse_own_input


@pytest.mark.parametrize("name", ["manifest.json", "pores.csv", "report.html", "figures/chord_lengths.png"])
def test_files_of_others_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("my own work")
    with pytest.raises(UserError, match=f"holds {name}, not written by a scan's segmentation: .*--overwrite"):
        refuse_foreign(tmp_path, tmp_path / "journal")


def test_files_of_other_names_may_stand_beside(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name in ("scan.tif", "figures/mine.png", "notes.txt"):
        (tmp_path / name).write_text("my own work")
    refuse_foreign(tmp_path, tmp_path / "journal")
    refuse_own_input([tmp_path / "scan.tif"], [tmp_path, tmp_path / "results"])


@pytest.mark.parametrize("name", ["overview.png", "mask.nii.gz", "figures/shapes.png", "segmentation.ome.zarr/0"])
def test_an_input_among_the_outputs_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("the scan")
    with pytest.raises(UserError, match="the results would replace it"):
        refuse_own_input([path], [tmp_path])


def test_an_input_is_known_by_any_name(tmp_path: Path) -> None:
    (tmp_path / "overview.png").write_text("the scan")
    (tmp_path / "link.png").symlink_to(tmp_path / "overview.png")
    os.link(tmp_path / "overview.png", tmp_path / "second.png")
    for name in ("link.png", "second.png", "../" + tmp_path.name + "/overview.png"):
        with pytest.raises(UserError, match="would replace it"):
            refuse_own_input([tmp_path / name], [tmp_path])


def test_results_go_into_no_scan(tmp_path: Path) -> None:
    zarr.open_group(str(tmp_path / "a"), mode="w")
    (tmp_path / "b.tif").write_text("the scan")
    for folder in ("a", "a/results", "b.tif"):
        with pytest.raises(UserError, match="the results would go into the scan"):
            refuse_own_input([tmp_path / "a", tmp_path / "b.tif"], [tmp_path / "c", tmp_path / folder])
