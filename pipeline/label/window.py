"""Opens the window of `vlsenet label`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UserError
from pipeline.label.triton_apart import load_triton_apart

if TYPE_CHECKING:
    from napari import Viewer

INSTALL = "vlsenet label needs napari and Qt: pip install 'vlsenet[label]'"


def open_window(path: Path) -> None:
    """Open napari with the dock on a data set, and wait until it is closed.

    Raises:
        UserError: napari or Qt is not installed, no screen can be reached, or the data set can't be labelled.
    """
    try:
        import napari
        from qtpy import QtWidgets  # noqa: F401 - which asks whether there is a Qt
    except ImportError as error:
        raise UserError(INSTALL) from error
    load_triton_apart()
    from pipeline.label.dock import LabelDock

    viewer = napari.Viewer(title=f"vlsenet label {path}")
    _enlarge(viewer)
    try:
        dock = LabelDock(viewer, path)
    except BaseException:
        viewer.close()
        raise
    viewer.window.add_dock_widget(dock, name="Label and train", area="right")
    try:
        napari.run()
    finally:
        dock.close_all()


def _enlarge(viewer: Viewer) -> None:
    """Give the window most of the screen: of napari's own size, the docks leave little to the image."""
    from qtpy.QtGui import QGuiApplication

    screen = QGuiApplication.primaryScreen()
    if screen is None:
        return
    there = screen.availableGeometry()
    _, _, width, height = viewer.window.geometry()
    viewer.window.resize(max(width, min(1600, there.width() - 60)), max(height, min(1000, there.height() - 80)))
