from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.data.pairs import find_layout, is_part_of_data_set, pair_files
from pipeline.errors import UserError


@pytest.mark.parametrize("folders", [("images", "labels"), ("patch_images", "patch_mask")])
def test_matches_by_stem_in_both_layouts(make_dataset: Callable[..., Path], folders: tuple[str, str]) -> None:
    root = make_dataset({"b": 0.1, "depth-1.2m": 0.1}, folders=folders)
    (root / folders[1] / "b.png").rename(root / folders[1] / "b.nii.gz")
    (root / "text").mkdir()
    (root / "text" / "depth-1.2m.txt").write_text("pore")
    pairing = pair_files(root)
    assert not pairing.problems
    assert [(p.name, p.image.name, p.label.name) for p in pairing.pairs] == [
        ("b", "b.png", "b.nii.gz"),
        ("depth-1.2m", "depth-1.2m.png", "depth-1.2m.png"),
    ]
    assert pairing.pairs[0].text is None
    assert pairing.pairs[1].text == root / "text" / "depth-1.2m.txt"
    assert any("no text" in note and "b" in note for note in pairing.notes)


def test_foreign_files(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.1})
    for name in (".DS_Store", "._a.png", "Thumbs.db", "desktop.ini", "notes.xml"):
        (root / "images" / name).write_bytes(b"x")
    (root / "images" / "old").mkdir()
    pairing = pair_files(root)
    assert [p.name for p in pairing.pairs] == ["a"]
    assert not pairing.problems
    assert pairing.notes == ("images/: skipped, not images: notes.xml, old/",)


def test_all_that_does_not_pair_up(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.1})
    (root / "labels" / "a.png").unlink()
    (root / "images" / "b.png").unlink()
    (root / "images" / "c.tif").write_bytes(b"x")
    pairing = pair_files(root)
    assert [p.name for p in pairing.pairs] == ["d"]
    lines = [problem.line(root) for problem in pairing.problems]
    assert lines[0].startswith("images/a.png: this image has no label")
    assert lines[1].startswith("labels/b.png: this label has no image")
    assert lines[2].startswith("images/c.png: c.tif has the same stem")
    assert pairing.names == {"a", "b", "c", "d"}


@pytest.mark.parametrize("file", ["a.json", "a_RoiSet.zip", "a.nrrd", "a-labels.xml", "a.png.geojson"])
@pytest.mark.parametrize("folder", ["labels", "images"])
def test_annotations_that_are_no_masks_are_named_as_such(
    make_dataset: Callable[..., Path], folder: str, file: str
) -> None:
    root = make_dataset({"a": 0.1, "ab": 0.1})
    (root / "labels" / "a.png").unlink()
    (root / folder / file).write_bytes(b"{}")
    (problem,) = pair_files(root).problems
    line = problem.line(root)
    assert line.startswith(
        f"images/a.png: this image has no label: {folder}/{file} is no mask; let vlsenet import-labels"
    )


def test_layout_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_layout(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        find_layout(tmp_path / "file")
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(UserError, match=r"images/ and labels/ or patch_images/ and patch_mask/.*masks/"):
        find_layout(tmp_path)
    (tmp_path / "labels").mkdir()
    with pytest.raises(UserError, match="no images in this folder"):
        pair_files(tmp_path)
    for name in ("patch_images", "patch_mask"):
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match="keep one of the two"):
        find_layout(tmp_path)


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ("images", r"put the masks into .*labels"),
        ("patch_images", r"put the masks into .*patch_mask"),
        ("labels", r"put the images into .*images"),
        ("scans", "rename or move the folders"),
    ],
)
def test_a_folder_that_is_missing_is_named(tmp_path: Path, there: str, told: str) -> None:
    (tmp_path / there).mkdir()
    with pytest.raises(UserError, match=told):
        find_layout(tmp_path)


def test_folders_of_a_data_set_are_known(make_dataset: Callable[..., Path]) -> None:
    root = make_dataset({"a": 0.2})
    (root / "images" / "below").mkdir()
    assert is_part_of_data_set(root / "images")
    assert is_part_of_data_set(root / "labels" / "." / ".." / "labels")
    assert not is_part_of_data_set(root)
    assert not is_part_of_data_set(root / "images" / "below")
    (root / "images" / "a.png").unlink()
    assert not is_part_of_data_set(root / "images")  # nothing in it
    (root / "images").rename(root / "scans")
    assert not is_part_of_data_set(root / "labels")
