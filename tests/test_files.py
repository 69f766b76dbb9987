from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import UserError, mistake_behind
from pipeline.files import atomic_path, files_together, left_over


def test_the_file_appears_whole_and_alone(tmp_path):
    target = tmp_path / "sub" / "x.csv"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".csv"
        assert temporary.parent == target.parent
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def fail_halfway(target):
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("disk full")


def test_an_exception_leaves_what_was_there(tmp_path):
    target = tmp_path / "x.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError, match="disk full"):
        fail_halfway(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("named", [False, True])
def test_an_error_of_the_file_system_names_the_file_and_not_the_temporary_one(tmp_path, named):
    target = tmp_path / "sub" / "x.csv"
    with pytest.raises(OSError, match="No space left") as caught, atomic_path(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *([str(temporary)] if named else []))
    assert caught.value.filename == str(target)
    assert mistake_behind(caught.value).args[0].startswith(f"no space left on the disk to write {target}: free some")
    assert list(target.parent.iterdir()) == []


def test_files_that_belong_together_appear_together(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(OSError, match="No space left"), files_together(tmp_path) as path_of:  # noqa: PT012
        path_of("a.csv").write_text("new")
        path_of("pictures/b.png").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"
    with files_together(tmp_path) as path_of:
        for name in ("a.csv", "pictures/b.png"):
            path_of(name).write_text("new")
        assert (tmp_path / "a.csv").read_text() == "old"
    assert [(tmp_path / name).read_text() for name in ("a.csv", "pictures/b.png")] == ["new", "new"]


def test_the_mark_of_what_belongs_together_is_renamed_last(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(os, "replace", lambda old, new: order.append(Path(new).name))
    with files_together(tmp_path) as path_of:
        for name in ("mark", "a", "b"):
            path_of(name).touch()
    assert order[-1] == "mark"


def test_long_names_fit(tmp_path):
    target = tmp_path / ("x" * 250 + ".csv")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert target.exists()


@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.ome.tif", "pores[1].csv", "mask"])
def test_what_a_killed_writer_left_is_found(tmp_path, name):
    with atomic_path(tmp_path / name) as temporary:
        temporary.write_text("half")
    temporary.write_text("half")
    (tmp_path / f".{name}").write_text("mine")
    assert left_over(tmp_path / name) == [temporary]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_folder_that_can_not_be_made_is_told() -> None:
    with pytest.raises(UserError, match="cannot write /proc/no_such_folder"), atomic_path("/proc/no_such_folder/a.txt"):
        pass
