"""Strokes on the disk: whole at any time, with the meaning that the data set gives them."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.annotations import stroke_store
from pipeline.annotations.session import LabelSession, data_set_of
from pipeline.data.phases_file import read_phases_csv
from pipeline.errors import UserError
from pipeline.images import read_label
from pipeline.images.rectangles import Window

SHAPE = (120, 150)


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    folder = tmp_path / "rock"
    (folder / "images").mkdir(parents=True)
    for name in "ab":
        tifffile.imwrite(folder / "images" / f"{name}.tif", np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8))
    return folder


def painted(code: int) -> np.ndarray:
    codes = np.zeros((20, 30), np.uint8)
    codes[5:8, 3:20] = code
    return codes


@pytest.mark.parametrize("largest", [1 << 24, 100])
def test_what_is_painted_is_there_in_the_next_session(
    rock: Path, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stroke_store, "LARGEST_WHOLE", largest)
    window = Window(50, 60, 20, 30)
    with LabelSession(rock) as session:
        session.add_phase("silt grain")
        store = session.store("a")
        assert store.path.suffix == (".png" if largest > 100 else ".zarr")
        assert store.write(window, painted(3))
        assert not store.write(window, painted(3))
    with LabelSession(rock) as session:
        np.testing.assert_array_equal(session.store("a").read(window), painted(3))
        assert session.store("a").read(Window(0, 0, *SHAPE)).sum() == painted(3).sum()
        path = session.store("a").path
    # the data set's own way to read it
    values = read_phases_csv(rock / "phases.csv")
    assert values.names == ("pore", "silt grain")
    assert (values.codes(read_label(path)) == 2).sum() == (painted(3) > 0).sum()
    assert (values.codes(read_label(path)) == 255).sum() == SHAPE[0] * SHAPE[1] - (painted(3) > 0).sum()


def test_the_windows_of_strokes_hold_them_all_and_cut_none(rock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stroke_store, "LARGEST_WHOLE", 100)
    monkeypatch.setattr(stroke_store, "_CHUNK", 16)
    codes = np.zeros(SHAPE, np.uint8)
    codes[14:18, 30:34] = 2  # across four chunks
    codes[5, 5:40] = 1
    codes[100:119, 140:149] = 2
    with LabelSession(rock) as session:
        store = session.store("a")
        assert store.painted() == []
        store.write(Window(0, 0, *SHAPE), codes)
        windows = store.painted()
        assert windows == [Window(0, 0, 32, 48), Window(96, 128, 24, 22)]
        assert sum((store.read(window) > 0).sum() for window in windows) == (codes > 0).sum()


def test_values_that_are_there_stay(rock: Path) -> None:
    """A mask of a data set in which two values are one phase, and 0 is the rest."""
    (rock / "labels").mkdir()
    mask = np.zeros(SHAPE, np.uint8)
    mask[:10], mask[10:20] = 5, 6
    Image.fromarray(mask).save(rock / "labels" / "a.png")
    (rock / "phases.csv").write_text("value,phase\n5,pore\n6,pore\n")
    with LabelSession(rock) as session:
        store = session.store("a")
        assert set(np.unique(store.read(Window(0, 0, *SHAPE)))) == {1, 2}
        codes = store.read(Window(0, 0, 30, 30))
        codes[25, 25] = 0  # erased
        store.write(Window(0, 0, 30, 30), codes)
    mask[25, 25] = session.meaning.unlabelled
    assert session.meaning.unlabelled not in (0, 5, 6)
    np.testing.assert_array_equal(read_label(rock / "labels" / "a.png"), mask)


def test_two_windows_on_one_data_set(rock: Path) -> None:
    with LabelSession(rock), pytest.raises(UserError, match="another window is labelling this data set"):
        LabelSession(rock)
    LabelSession(rock).close()


def test_an_image_that_changed_or_vanished(rock: Path) -> None:
    with LabelSession(rock) as session:
        session.store("a").write(Window(50, 60, 20, 30), painted(2))
        session.store("b")
    before = (rock / "labels" / "a.png").read_bytes()
    tifffile.imwrite(rock / "images" / "a.tif", np.zeros((90, 80), np.uint8))
    (rock / "images" / "b.tif").unlink()
    with LabelSession(rock) as session:
        assert session.vanished == ["b"]
        with pytest.raises(UserError, match=r"the image changed since it was labelled \(it was 150x120 pixels"):
            session.store("a")
    assert (rock / "labels" / "a.png").read_bytes() == before


def test_a_full_disk_loses_nothing(rock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    window = Window(50, 60, 20, 30)
    with LabelSession(rock) as session:
        store = session.store("a")
        store.write(window, painted(2))
        before = store.path.read_bytes()

        def full(path: Path) -> object:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(stroke_store, "atomic_path", full)
            with pytest.raises(UserError, match=r"no space left on the disk\); they are kept in the window"):
                store.write(window, painted(1))
        assert store.path.read_bytes() == before
        assert store.write(window, painted(1))
        np.testing.assert_array_equal(store.read(window), painted(1))


@pytest.mark.parametrize(
    ("name", "told"), [("Pore", "is there already"), ("rest", "is no phase"), ("", "no phase"), ("a=b", "'='")]
)
def test_names_that_are_no_phase(rock: Path, name: str, told: str) -> None:
    with LabelSession(rock) as session, pytest.raises(UserError, match=told):
        session.add_phase(name)


def test_a_folder_of_images_or_a_scan_becomes_a_data_set(rock: Path) -> None:
    assert data_set_of(rock) == rock
    made = data_set_of(rock / "images")
    assert sorted(path.name for path in (made / "images").iterdir()) == ["a.tif", "b.tif"]
    assert data_set_of(rock / "images") == made
    one = data_set_of(rock / "images" / "a.tif")
    with LabelSession(one) as session:
        assert session.store("a").shape == SHAPE
    with pytest.raises(UserError, match="no such file"):
        data_set_of(rock / "none")
    (rock / "empty").mkdir()
    with pytest.raises(UserError, match="no images"):
        data_set_of(rock / "empty")
