"""What was painted is kept, whatever happens to the images, the disk and the layers; each mishap is told once."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.errors import UserError
from pipeline.images import read_label
from tests.label.painted_rock import PORE, SHAPE, made, paint
from tests.label.window_needed import skip_without_window

skip_without_window()

import napari  # noqa: E402

from pipeline.label.dock import LabelDock  # noqa: E402
from pipeline.label.window_layers import STROKES  # noqa: E402


def test_strokes_outside_of_the_image_are_no_strokes(dock: LabelDock, rock: Path) -> None:
    layer = dock.viewer.layers[STROKES]
    for place in ((-5, 10), (10, -5), (SHAPE[0] + 3, 5), (5, SHAPE[1] + 3)):
        layer.paint(place, PORE)
    layer.brush_size = 9
    layer.paint((0, 0), PORE)
    dock.save()
    label = read_label(rock / "labels" / "a.png")
    assert label.shape == SHAPE
    assert 0 < (label == 1).sum() < 81


def test_images_that_changed_or_vanished_are_told(dock: LabelDock, rock: Path) -> None:
    dock.show_image("b")
    dock.show_image("a")
    paint(dock)
    dock.save()
    tifffile.imwrite(rock / "images" / "b.tif", made()[0][:200])
    dock.open(rock)
    dock.images.setCurrentText("b")
    assert "b.tif: the image changed since it was labelled (it was 260x220 pixels)" in dock.told.text()
    assert dock.images.currentText() == "a"  # which is still there to be painted on
    assert (dock.viewer.layers[STROKES].data > 0).any()
    (rock / "images" / "a.tif").rename(rock / "elsewhere.tif")
    (rock / "images" / "b.tif").unlink()
    tifffile.imwrite(rock / "images" / "c.tif", made()[0])
    dock.open(rock)
    assert "labelled earlier, and gone now: a, b; their labels are kept" in dock.told.text()
    assert (rock / "labels" / "a.png").exists()


def test_an_image_that_vanishes_while_it_is_open(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    paint(dock)
    (rock / "images" / "a.tif").unlink()
    (rock / "images" / "b.tif").unlink()
    dock.save()
    assert (rock / "labels" / "a.png").exists()
    dock.preview_button.click()
    qtbot.waitUntil(lambda: "a.tif" in dock.told.text(), timeout=60_000)
    dock.images.setCurrentText("b")
    assert "b.tif" in dock.told.text()
    assert dock.images.currentText() == "a"


def test_an_image_that_can_t_be_shown_does_not_keep_the_others_closed(dock: LabelDock, rock: Path) -> None:
    content = (rock / "images" / "a.tif").read_bytes()
    (rock / "images" / "a.tif").write_bytes(b"no image any more")
    dock.open(rock)
    assert "a.tif" in dock.told.text()
    assert dock.images.currentText() == "b"
    paint(dock)
    dock.save()
    assert (rock / "labels" / "b.png").exists()
    (rock / "images" / "b.tif").unlink()
    with pytest.raises(UserError, match=r"a\.tif"):
        dock.open(rock)
    (rock / "images" / "a.tif").write_bytes(content)
    dock.open(rock)
    assert dock.images.currentText() == "a"


def test_two_windows_on_one_data_set(dock: LabelDock, rock: Path) -> None:
    with pytest.raises(UserError, match="another window is labelling"):
        LabelDock(dock.viewer, rock)


def test_a_folder_that_can_t_be_opened_leaves_the_one_before(dock: LabelDock, rock: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no images"):
        dock.open(tmp_path / "empty")
    paint(dock)
    dock.save()
    assert (rock / "labels" / "a.png").exists()
    with pytest.raises(UserError, match="another window"):
        LabelDock(dock.viewer, rock)


def test_layers_that_are_deleted_in_napari_come_back(dock: LabelDock, rock: Path) -> None:
    paint(dock)
    painted = np.asarray(dock.viewer.layers[STROKES].data).copy()
    for name in (STROKES, "a"):
        dock.viewer.layers.remove(name)
        dock.save()
        np.testing.assert_array_equal(dock.viewer.layers[STROKES].data, painted)
        assert "are shown again" in dock.told.text()
    dock.viewer.layers["a"].name = "another name"
    dock.save()
    assert "a" in dock.viewer.layers


def test_nothing_is_lost_on_a_full_disk(dock: LabelDock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dock.field is not None
    paint(dock)
    painted = (dock.viewer.layers[STROKES].data > 0).sum()
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(dock.field.store._pixels, "write", lambda *_: (_ for _ in ()).throw(full))
        dock.save()
        assert "no space left on the disk" in dock.told.text()
        dock.images.setCurrentText("b")  # which would drop the strokes
        assert dock.images.currentText() == "a"
        with pytest.raises(UserError, match="no space left"):
            dock.open(dock.session.root)
        assert (dock.viewer.layers[STROKES].data > 0).sum() == painted
    dock.save()
    assert dock.told.text() == "all strokes are saved now"
    dock.images.setCurrentText("b")
    assert dock.images.currentText() == "b"
    dock.images.setCurrentText("a")
    assert (dock.viewer.layers[STROKES].data > 0).sum() == painted


def test_a_window_that_closes_on_a_full_disk_keeps_its_strokes_elsewhere(
    rock: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    viewer = napari.Viewer(show=False)
    first = LabelDock(viewer, rock)
    qtbot.addWidget(first)
    paint(first)
    painted = np.asarray(viewer.layers[STROKES].data).copy()
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(first.field.store._pixels, "write", lambda *_: (_ for _ in ()).throw(full))
        first.close_all()
    (told,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert "no space left on the disk" in told
    assert f"are kept in {tmp_path / 'home'}" in told
    assert not (rock / "labels" / "a.png").exists()
    second = LabelDock(viewer, rock)
    qtbot.addWidget(second)
    assert "are back, and saved" in second.told.text()
    np.testing.assert_array_equal(viewer.layers[STROKES].data, painted)
    assert (rock / "labels" / "a.png").exists()
    second.close_all()
    viewer.close()
