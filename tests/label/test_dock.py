"""The window, by what a person does in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from pipeline.cli.main import main
from pipeline.errors import MISTAKE, UserError
from pipeline.images import read_label
from pipeline.workflows.label_loop.background_training import Verdict

for _module in ("napari", "qtpy", "pytestqt", "sklearn"):
    pytest.importorskip(_module, reason=f"needs {_module}, of the extra label_tests")
if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
    pytest.skip("needs a display, such as that of xvfb-run", allow_module_level=True)

import napari  # noqa: E402

from pipeline.label.dock import LabelDock  # noqa: E402
from pipeline.label.window_layers import FIELD, PREVIEW, STROKES  # noqa: E402

SHAPE = (220, 260)
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
    dock.guarded(dock._add_phase)
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


def test_a_worse_model_is_not_taken_over_in_silence(dock: LabelDock, rock: Path) -> None:
    trained = rock / "new.pt"
    trained.write_bytes(b"a model")
    dock._judged(Verdict(trained, 0.9, 0.7, 500))
    assert "worse than before: Dice 0.700 on 500 held-out pixels, before 0.900" in dock.told.text()
    assert not (rock / "best.pt").exists()


def test_too_little_to_train_on_is_told(dock: LabelDock) -> None:
    dock.train_button.click()
    assert "no phase was painted" in dock.told.text()
    dock.viewer.layers[STROKES].paint((20, 20), PORE)
    dock.train_button.click()
    assert "only pore was painted" in dock.told.text()


def test_two_windows_on_one_data_set(dock: LabelDock, rock: Path) -> None:
    with pytest.raises(UserError, match="another window is labelling"):
        LabelDock(dock.viewer, rock)


def test_a_large_image_has_a_field_to_paint_on(tmp_path: Path, qtbot: Any) -> None:
    tifffile.imwrite(tmp_path / "scan.tif", np.zeros((4200, 4100), np.uint8), tile=(256, 256), compression="zlib")
    viewer = napari.Viewer(show=False)
    dock = LabelDock(viewer, tmp_path / "scan.tif")
    qtbot.addWidget(dock)
    layer = viewer.layers[STROKES]
    assert layer.data.shape == (FIELD, FIELD)
    assert viewer.layers["scan"].multiscale
    layer.paint((5, 7), PORE)
    dock.close_all()
    viewer.close()
    label = read_label(tmp_path / "scan_labelled" / "labels" / "scan.zarr")
    rows, columns = np.nonzero(label == 1)
    assert (round(rows.mean()), round(columns.mean())) == (5 + (4200 - FIELD) // 2, 7 + (4100 - FIELD) // 2)


def test_the_plugin_has_a_manifest() -> None:
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(Path(__file__).parents[2] / "pipeline" / "label" / "napari.yaml")
    (command,) = manifest.contributions.commands
    assert command.python_name == "pipeline.label.dock:LabelDock"
    assert manifest.contributions.widgets[0].command == command.id


def test_no_screen_is_told(rock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["label", str(rock)]) == MISTAKE
    assert "there is no screen" in capsys.readouterr().err
