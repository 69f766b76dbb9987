from __future__ import annotations

import pytest

from pipeline.files import atomic_path, left_over


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
