"""The dock in napari: as a plugin, closed by its cross, and without a screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import main
from pipeline.errors import MISTAKE
from tests.label.painted_rock import paint
from tests.label.window_needed import skip_without_window

skip_without_window()

import napari  # noqa: E402

from pipeline.label.dock import LabelDock  # noqa: E402


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
    for button in (
        dock.preview_button,
        dock.train_button,
        dock.model_button,
        dock.next_button,
        dock.segment_button,
        dock.add_button,
    ):
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
