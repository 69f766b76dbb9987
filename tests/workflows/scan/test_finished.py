"""Nothing of the user's is overwritten, and results that are gone are written again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image

from pipeline.errors import UserError
from pipeline.workflows.scan.finished import ask_for_stack, refuse_foreign, refuse_own_input, warn_of_folder


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


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    for name in ("images", "labels"):
        (tmp_path / "rock" / name).mkdir(parents=True)
        (tmp_path / "rock" / name / "a.png").write_text("an image")
    return tmp_path / "rock"


@pytest.mark.parametrize("name", ["images", "labels", "labels/../images"])
def test_no_results_among_the_images_of_a_data_set(data_set: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for scan in (data_set / "images" / "a.png", data_set.parent / "other.tif"):
        with pytest.raises(UserError, match=f"{name}: it holds images or masks of a data set, .*; choose another"):
            refuse_own_input([scan], [data_set / name])
    monkeypatch.chdir(data_set / name)
    with pytest.raises(UserError, match=r"^\.: it holds images or masks of a data set"):
        refuse_own_input([Path("a.png")], [Path()])


def test_results_below_the_images_of_a_data_set_are_told_once(data_set: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = data_set / "images"
    refuse_own_input([images / "a.png"], [images / "a", images / "b"])
    (warning,) = caplog.messages
    assert warning.startswith(f"{images / 'a'}: the results go below the images of a data set, {images};")


def test_results_beside_plain_images_need_no_word(data_set: Path, caplog: pytest.LogCaptureFixture) -> None:
    (data_set / "labels" / "a.png").rename(data_set / "a.png")
    (data_set / "labels").rmdir()
    refuse_own_input([data_set / "a.png"], [data_set])
    refuse_own_input([data_set / "images" / "a.png"], [data_set / "images"])
    warn_of_folder(data_set / "images", data_set / "out", stack=True)
    assert not caplog.messages


def test_results_in_the_folder_that_is_segmented(data_set: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = (data_set / "images").rename(data_set / "scans")
    with pytest.raises(UserError, match=r"scans/\.\./scans: the results would go among the slices of the stack"):
        warn_of_folder(folder, folder / ".." / "scans", stack=True)
    warn_of_folder(folder, folder, stack=False)
    assert caplog.messages == [f"{folder}: the results go among the scans; another --output_dir keeps them apart"]


def test_images_in_subfolders_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("day2/b.tif", "day10/a.png", "notes/a.txt", "pores/overview.png", "pores/journal/request.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    warn_of_folder(tmp_path, tmp_path / "out", stack=False)
    (tmp_path / "day10" / "a.png").unlink()
    warn_of_folder(tmp_path, tmp_path / "out", stack=True)
    assert caplog.messages == [
        f"{tmp_path}: day2/, day10/ hold images and are not segmented; give each by itself",
        f"{tmp_path}: day2/ holds images and is not segmented; give that folder by itself",
    ]


def test_figures_of_results_among_the_scans_are_no_news(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("journal", "figures"):
        (tmp_path / name).mkdir()
    (tmp_path / "figures" / "shapes.png").write_text("")
    warn_of_folder(tmp_path, tmp_path / "out", stack=False)
    assert not caplog.messages


def pictures(folder: Path, sizes: dict[str, tuple[int, int]]) -> list[Path]:
    for name, size in sizes.items():
        Image.fromarray(np.zeros(size, np.uint8)).save(folder / name)
    return [folder / name for name in sizes]


def test_numbered_images_of_one_size_may_be_a_stack(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    scans = pictures(tmp_path, {f"slice_{number:03d}.png": (30, 40) for number in (7, 8, 9, 10)})
    assert ask_for_stack(tmp_path, scans)
    (line,) = caplog.messages
    assert "4 images of 40 x 30 pixels, numbered from slice_007.png to slice_010.png" in line
    assert "With --stack they are segmented as one" in line
    assert "If not, leave it as it is" in line
    assert "\n" not in line


def test_other_folders_are_not_asked_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    same = (30, 40)
    ask_for_stack(tmp_path, pictures(tmp_path, {"a.png": same, "b.png": same, "c.png": same}))
    ask_for_stack(tmp_path, pictures(tmp_path, {"s1.png": same, "s2.png": same}))
    ask_for_stack(tmp_path, pictures(tmp_path, {"s1.png": same, "s2.png": same, "s3.png": (30, 41)}))
    ask_for_stack(tmp_path, pictures(tmp_path, {"s1.png": same, "s2.png": same, "other3.png": same}))
    ask_for_stack(tmp_path, pictures(tmp_path, {"r17.png": same, "r5.png": same, "r86.png": same, "r41.png": same}))
    broken = pictures(tmp_path, {"t1.png": same, "t2.png": same, "t3.png": same})
    broken[0].write_bytes(b"no picture")
    assert not ask_for_stack(tmp_path, broken)
    assert caplog.messages == []
