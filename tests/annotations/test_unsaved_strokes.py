"""Strokes that a full disk refused: kept elsewhere, and put back."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.annotations.session import LabelSession
from pipeline.annotations.unsaved_strokes import FOLDER, UnsavedStrokes
from pipeline.errors import UserError
from pipeline.images.rectangles import Window

SHAPE = (60, 80)
WINDOW = Window(10, 20, 30, 40)


@pytest.fixture
def rock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "rock" / "images").mkdir(parents=True)
    for name in ("a", "a_x1_y2"):
        tifffile.imwrite(tmp_path / "rock" / "images" / f"{name}.tif", np.zeros(SHAPE, np.uint8))
    return tmp_path / "rock"


def kept(rock: Path, code: int, stem: str = "a") -> Path:
    """A stroke on what the label says, and what becomes of it on a full disk."""
    with LabelSession(rock) as session:
        store = session.store(stem)
        codes = store.read(WINDOW)
        codes[code, :] = code
        return UnsavedStrokes(WINDOW, *store.difference(WINDOW, codes)).keep(rock, stem)


def test_they_are_put_back_in_the_next_session_in_their_order(rock: Path, tmp_path: Path) -> None:
    with LabelSession(rock) as session:
        session.store("a").write(WINDOW, np.ones(WINDOW[2:], np.uint8))
    files = [kept(rock, 2), kept(rock, 2, "a_x1_y2")]
    assert files[0].parent.parent == tmp_path / "home" / FOLDER
    with LabelSession(rock) as session:
        found = session.store("a").read(Window(0, 0, *SHAPE))
        assert session.put_back == {"a"}
    expected = np.zeros(SHAPE, np.uint8)
    expected[10:40, 20:60] = 1
    expected[12, 20:60] = 2
    np.testing.assert_array_equal(found, expected)
    assert [file.exists() for file in files] == [False, True]  # the other one is of another image


def test_what_was_painted_meanwhile_stays(rock: Path) -> None:
    file = kept(rock, 2)
    file.rename(file.with_suffix(".away"))
    with LabelSession(rock) as session:
        session.store("a").write(WINDOW, np.where(np.arange(40) < 9, 1, 0) * np.ones((30, 1), np.uint8))
    file.with_suffix(".away").rename(file)
    with LabelSession(rock) as session:
        found = session.store("a").read(WINDOW)
    assert (found[2] == 2).all()
    assert (np.delete(found, 2, axis=0)[:, :9] == 1).all()


def test_a_second_window_keeps_beside_the_first(rock: Path) -> None:
    strokes = UnsavedStrokes(WINDOW, np.ones(WINDOW[2:], np.uint8), np.ones(WINDOW[2:], bool))
    files = [strokes.keep(rock, "a") for _ in range(3)]
    assert len(set(files)) == 3
    with LabelSession(rock) as session:
        session.store("a")
    assert not any(file.exists() for file in files)


def test_they_wait_for_a_disk_that_is_still_full(rock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = kept(rock, 2)
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch, LabelSession(rock) as session:
        patch.setattr("pipeline.annotations.stroke_store._Whole.write", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(UserError, match="no space left"):
            session.store("a")
    assert file.exists()
    with LabelSession(rock) as session:
        assert (session.store("a").read(WINDOW)[2] == 2).all()


def test_the_folder_for_temporary_files_is_the_last_resort(
    rock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    assert kept(rock, 2).parent.parent == tmp_path / "tmp" / FOLDER
    (tmp_path / "tmp" / FOLDER).rename(tmp_path / "elsewhere")
    (tmp_path / "tmp" / FOLDER).write_text("no folder")
    with pytest.raises(UserError, match="strokes on a are lost"):
        kept(rock, 2)
