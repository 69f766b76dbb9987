"""Opens the window of `vlsenet label`."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import UserError

INSTALL = "vlsenet label needs napari and Qt: pip install 'vlsenet[label]'"


def open_window(path: Path) -> None:
    """Open napari with the dock on a data set, and wait until it is closed.

    Raises:
        UserError: napari or Qt is not installed, no screen can be reached, or the data set can't be labelled.
    """
    # before any window: where OpenGL is drawn in software, PyTorch's libraries crash if they are loaded after it
    import pipeline.workflows.label_loop.background_training
    import pipeline.workflows.label_loop.suggestion  # noqa: F401

    try:
        import napari
        from qtpy import QtWidgets  # noqa: F401 - which asks whether there is a Qt
    except ImportError as error:
        raise UserError(INSTALL) from error
    from pipeline.label.dock import LabelDock

    viewer = napari.Viewer(title=f"vlsenet label {path}")
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
