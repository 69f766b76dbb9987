"""The window, by what a person does in it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile
import torch
import zarr
from scipy.ndimage import gaussian_filter

from pipeline.bundle_files import default_model
from pipeline.cli.main import main
from pipeline.errors import MISTAKE, UserError
from pipeline.images import read_label
from pipeline.images.rectangles import Part, Window
from pipeline.workflows.label_loop.background_training import BackgroundTraining

for _module in ("napari", "qtpy", "pytestqt", "sklearn"):
    pytest.importorskip(_module, reason=f"needs {_module}, of the extra label_tests")
if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
    pytest.skip("needs a display, such as that of xvfb-run", allow_module_level=True)

import napari  # noqa: E402

from pipeline.label.asked_model import AskedModel  # noqa: E402
from pipeline.label.canvas_view import camera_of  # noqa: E402
from pipeline.label.dock import LabelDock  # noqa: E402
from pipeline.label.painted_field import FIELD  # noqa: E402
from pipeline.label.window_layers import PREVIEW, STROKES, UNCERTAINTY  # noqa: E402

SHAPE = (220, 260)
LARGE = 16384
PORE, REST = 2, 1


def made() -> tuple[np.ndarray, np.ndarray]:
    """An image of dark pores, and where they are."""
    field = gaussian_filter(np.random.default_rng(3).normal(size=SHAPE), 6)
    pore = field < np.quantile(field, 0.25)
    grey = np.where(pore, 60, 170) + np.random.default_rng(0).normal(0, 6, SHAPE)
    return grey.astype(np.uint8), pore


@pytest.fixture
def rock(tmp_path: Path) -> Path:
    (tmp_path / "rock" / "images").mkdir(parents=True)
    for name in "ab":
        tifffile.imwrite(tmp_path / "rock" / "images" / f"{name}.tif", made()[0])
    return tmp_path / "rock"


@pytest.fixture
def dock(rock: Path, qtbot: Any) -> Iterator[LabelDock]:
    viewer = napari.Viewer(show=False)
    dock = LabelDock(viewer, rock)
    qtbot.addWidget(dock)
    yield dock
    dock.close_all()
    viewer.close()


def paint(dock: LabelDock, every: int = 30) -> None:
    """Dots in pores and in the rest, as the brush makes them."""
    layer = dock.viewer.layers[STROKES]
    pore = made()[1]
    inside = gaussian_filter(pore.astype(float), 2)
    layer.brush_size = 3
    for code, where in ((PORE, inside > 0.95), (REST, inside < 0.02)):
        layer.selected_label = code
        for y, x in np.argwhere(where)[:: len(np.argwhere(where)) // every]:
            layer.paint((int(y), int(x)), code)


def test_what_is_painted_is_saved_within_moments(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    assert [dock.phases.item(row).text() for row in range(2)] == ["pore", "rest (none of the phases)"]
    assert dock.viewer.layers[STROKES].selected_label == PORE
    assert not dock.viewer.layers[STROKES].data.any()  # unlabelled
    paint(dock)
    qtbot.waitUntil(lambda: (rock / "labels" / "a.png").exists(), timeout=5000)
    label = read_label(rock / "labels" / "a.png")
    marked = label == 1
    assert marked.any()
    assert made()[1][marked].mean() > 0.9
    dock.show_image("b")
    assert not dock.viewer.layers[STROKES].data.any()
    dock.show_image("a")
    assert (dock.viewer.layers[STROKES].data == PORE).sum() == marked.sum()


def test_a_phase_is_added_by_name(dock: LabelDock, rock: Path) -> None:
    dock.new_phase.setText("silt grain")
    dock.new_phase.returnPressed.emit()
    assert dock.viewer.layers[STROKES].selected_label == 3
    assert "silt grain" in (rock / "phases.csv").read_text()
    dock.new_phase.setText("Silt grain")
    dock.add_button.click()
    assert "is there already" in dock.told.text()


def test_the_preview_finds_the_pores(dock: LabelDock, qtbot: Any) -> None:
    dock.preview_button.click()
    qtbot.waitUntil(lambda: "nothing was painted" in dock.told.text(), timeout=60_000)
    paint(dock)
    dock.preview_button.click()
    qtbot.waitUntil(lambda: PREVIEW in dock.viewer.layers, timeout=60_000)
    layer = dock.viewer.layers[PREVIEW]
    top, left = (round(place) for place in layer.translate)
    found = np.asarray(layer.data) == PORE
    truth = made()[1][top : top + found.shape[0], left : left + found.shape[1]]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85
    assert dock.viewer.layers.selection.active.name == STROKES


def test_next_goes_to_where_the_model_is_unsure(dock: LabelDock, qtbot: Any) -> None:
    dock.next_button.click()
    qtbot.waitUntil(lambda: "uncertainty" in dock.told.text(), timeout=60_000)
    first = dock.told.text()
    dock.next_button.click()  # the next one is known already
    assert dock.told.text() != first


def trained(dock: LabelDock, qtbot: Any, weights: Callable[[torch.Tensor], torch.Tensor]) -> BackgroundTraining:
    """A training that was stopped at once, with the default model's weights, changed, as its best so far."""
    dock.train_button.click()
    training = dock.watch.training
    assert training is not None
    dock.stop_button.click()
    content = torch.load(default_model(), map_location="cpu", weights_only=True)
    content["network"] = {name: weights(value) for name, value in content["network"].items()}
    (training.folder / "checkpoints").mkdir(parents=True)
    torch.save(content, training.folder / "checkpoints" / "best.pt")
    qtbot.waitUntil(lambda: "as before" in dock.told.text() or "than before" in dock.told.text(), timeout=60_000)
    return training


def test_a_second_round_begins_with_the_model_taken_over_and_a_worse_one_stays_out(
    dock: LabelDock, rock: Path, qtbot: Any
) -> None:
    paint(dock)
    first = trained(dock, qtbot, torch.clone)
    assert first.start == default_model()
    assert f"It is {rock / 'best.pt'} now" in dock.told.text()
    qtbot.waitUntil(lambda: UNCERTAINTY in dock.viewer.layers, timeout=60_000)
    kept = (rock / "best.pt").read_bytes()
    paint(dock, 40)
    second = trained(dock, qtbot, torch.zeros_like)
    assert second.start == rock / "best.pt"
    assert second.folder != first.folder
    assert "worse than before" in dock.told.text()
    assert str(second.folder) in dock.told.text()
    assert (rock / "best.pt").read_bytes() == kept


@pytest.mark.slow
def test_segment_hands_over_with_a_report(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    """It takes a process that loads PyTorch."""
    dock.segment_button.click()
    qtbot.waitUntil(lambda: "report.html" in dock.told.text(), timeout=200_000)
    folder = rock / "segmented" / "a"
    assert (folder / "report.html").resolve().as_uri() in dock.told.text()
    found = np.asarray(zarr.open_group(str(folder / "segmentation.ome.zarr"), mode="r")["0"])[0, 0, 0] > 0
    truth = made()[1]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8


@pytest.mark.slow
def test_what_segment_refuses_is_told(dock: LabelDock, rock: Path, qtbot: Any) -> None:
    (rock / "images" / "a.tif").write_bytes(b"no image any more")
    dock.segment_button.click()
    qtbot.waitUntil(lambda: "a.tif" in dock.told.text(), timeout=200_000)
    assert "<b>" in dock.told.text()


def test_too_little_to_train_on_is_told(dock: LabelDock) -> None:
    dock.train_button.click()
    assert "no phase was painted" in dock.told.text()
    dock.viewer.layers[STROKES].paint((20, 20), PORE)
    dock.train_button.click()
    assert "only pore was painted" in dock.told.text()


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


def test_two_windows_on_one_data_set(dock: LabelDock, rock: Path) -> None:
    with pytest.raises(UserError, match="another window is labelling"):
        LabelDock(dock.viewer, rock)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """One of 268 MB, of which nothing is on the disk."""
    zarr.open(tmp_path / "scan.zarr", mode="w", shape=(LARGE, LARGE), chunks=(2048, 2048), dtype="u1", fill_value=90)
    return tmp_path / "scan.zarr"


def test_a_large_scan_is_painted_on_where_the_view_is(
    dock: LabelDock, scan: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, process = dock.viewer, psutil.Process()
    monkeypatch.setattr(AskedModel, "prepare", lambda *_: None)  # of which the memory is that of any command
    before = process.memory_full_info().uss
    dock.open(scan)
    layer = viewer.layers[STROKES]
    assert viewer.layers["scan"].multiscale
    layer.paint((5, 7), PORE)
    # as nothing is drawn, the view is said
    monkeypatch.setattr(dock, "_view", lambda: Part(0, 1900, 2900, 200, 200))
    camera_of(viewer).center = (2000, 3000)
    qtbot.waitUntil(lambda: tuple(layer.translate) == (2000 - FIELD / 2, 3000 - FIELD / 2), timeout=5000)
    layer.undo()  # the stroke elsewhere is no longer there to be undone
    assert not layer.data.any()
    layer.paint((100, 200), PORE)
    for place in range(4000, 16000, 2000):
        assert dock.field is not None
        dock.field.move_to((place, place))
    assert viewer.layers[STROKES] is layer
    assert process.memory_full_info().uss - before < 130e6  # neither the scan nor its strokes are in memory
    dock.close_all()
    rows, columns = np.nonzero(read_label(scan.parent / "scan_labelled" / "labels" / "scan.zarr") == 1)
    first = rows > LARGE // 4
    middle = (LARGE - FIELD) // 2
    assert (round(rows[first].mean()), round(columns[first].mean())) == (middle + 5, middle + 7)
    second = 2000 - FIELD // 2 + 100, 3000 - FIELD // 2 + 200
    assert (round(rows[~first].mean()), round(columns[~first].mean())) == second


def test_a_field_follows_only_a_view_that_left_it(dock: LabelDock, scan: Path) -> None:
    dock.open(scan)
    assert dock.field is not None
    before = dock.field.window
    dock.field.follow(Part(0, before.top + 10, before.left + 10, 500, 500))
    dock.field.follow(Part(0, before.top - 20, before.left, FIELD, FIELD))  # a little
    assert dock.field.window == before
    dock.field.follow(Part(0, -50, -50, LARGE + 100, LARGE + 100))  # all of the scan: its middle
    assert dock.field.window == before
    dock.field.follow(Part(0, -50, 0, 600, 600))
    assert dock.field.window == Window(0, 0, FIELD, FIELD)


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


def test_the_cross_of_the_dock_saves_and_gives_the_data_set_back(rock: Path, qtbot: Any) -> None:
    viewer = napari.Viewer(show=False)
    dock = LabelDock(viewer, rock)
    qtbot.addWidget(dock)
    docked = viewer.window.add_dock_widget(dock, name="Label and train", area="right")
    paint(dock)
    viewer.window.remove_dock_widget(docked)
    assert (rock / "labels" / "a.png").exists()
    assert not viewer.layers  # they would show an image that is closed
    again = LabelDock(viewer, rock)
    qtbot.addWidget(again)
    again.close_all()
    viewer.close()


def test_the_plugin_has_a_manifest() -> None:
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(Path(__file__).parents[2] / "pipeline" / "label" / "napari.yaml")
    (command,) = manifest.contributions.commands
    assert command.python_name == "pipeline.label.plugin:PluginDock"
    assert manifest.contributions.widgets[0].command == command.id


def test_the_plugin_says_what_to_do_before_a_folder_is_open(rock: Path, qtbot: Any) -> None:
    from napari.utils._proxies import PublicOnlyProxy

    from pipeline.label.plugin import PluginDock

    viewer = napari.Viewer(show=False)
    dock = PluginDock(PublicOnlyProxy(viewer))  # as napari gives it
    qtbot.addWidget(dock)
    assert "Open a folder" in dock.told.text()
    for button in (dock.preview_button, dock.train_button, dock.next_button, dock.segment_button, dock.add_button):
        dock.told.setText("")
        button.click()
        assert "Open a folder" in dock.told.text()
    dock.stop_button.click()
    dock.open(rock)
    paint(dock)
    dock.save()
    assert (rock / "labels" / "a.png").exists()
    dock.close_all()
    viewer.close()


@pytest.mark.slow
def test_the_plugin_in_a_window_that_is_drawn_already(tmp_path: Path) -> None:
    """Mesa's LLVM is loaded by then; Triton's crashed there."""
    script = """
import napari
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
for _ in range(5):
    QApplication.processEvents()
from pipeline.label.plugin import PluginDock
viewer.window.add_dock_widget(PluginDock(viewer))
import torchvision
print("it lives", flush=True)
import os
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert "it lives" in done.stdout, done.stderr[-500:]


def test_no_screen_is_told(rock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["label", str(rock)]) == MISTAKE
    assert "there is no screen" in capsys.readouterr().err
