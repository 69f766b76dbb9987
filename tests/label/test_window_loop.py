"""The loop once in a real window, by the mouse: paint, preview, train, correct, train again, segment.

    xvfb-run -a -s "-screen 0 1400x900x24" python -m tests.label.test_window_loop docs/guide/label.png

takes the guide's picture.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from pipeline.cli.main import main
from pipeline.images import read_label
from pipeline.label.triton_apart import load_triton_apart
from tests.label.window_needed import skip_without_window

skip_without_window()

load_triton_apart()
import napari  # noqa: E402
from qtpy.QtCore import QPoint, Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402

from pipeline.label.canvas_view import camera_of  # noqa: E402
from pipeline.label.dock import LabelDock  # noqa: E402
from pipeline.label.window_layers import PREVIEW, STROKES, UNCERTAINTY  # noqa: E402
from pipeline.workflows.label_loop.background_training import MODEL  # noqa: E402

PORE, REST = 2, 1
#: of a training that is no more than a few steps
QUICK = {"max_epochs": 1, "set": "batch_size=1"}


class Person:
    """Someone who uses the window.

    Args:
        dock: of the window, which is shown.
    """

    def __init__(self, dock: LabelDock) -> None:
        self.dock = dock
        self._canvas = dock.viewer.window._qt_viewer.canvas.native

    def waits_for(self, what: Callable[[], bool], seconds: float = 300) -> None:
        """Let the window work until something is so; what the dock says of a mistake is raised."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, self.dock.told.text()
            assert "<b>" not in self.dock.told.text(), self.dock.told.text()
            QTest.qWait(50)

    def drags(self, code: int, *places: Sequence[float]) -> None:
        """A stroke along places (row, column; px)."""
        self.dock.phases.setCurrentRow({PORE: 0, REST: self.dock.phases.count() - 1}[code])
        points = [self._on_screen(place) for place in places]
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseMove(self._canvas, points[0])
        QTest.mousePress(self._canvas, left, none, points[0])
        for point in points[1:]:
            QTest.mouseMove(self._canvas, point)
            QTest.qWait(20)
        QTest.mouseRelease(self._canvas, left, none, points[-1])
        QTest.qWait(20)

    def _on_screen(self, place: Sequence[float]) -> QPoint:
        camera = camera_of(self.dock.viewer)
        middle = self._canvas.width() / 2, self._canvas.height() / 2
        y, x = ((at - centre) * camera.zoom for at, centre in zip(place, camera.center[-2:], strict=True))
        return QPoint(round(middle[0] + x), round(middle[1] + y))

    def clicks(self, button: Any) -> None:
        """Press a button."""
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def spots(where: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Places deep inside of regions, apart from each other."""
    depth = distance_transform_edt(np.pad(where, 1))[1:-1, 1:-1]
    found = []
    for _ in range(count):
        row, column = np.unravel_index(depth.argmax(), depth.shape)
        found.append((int(row), int(column)))
        depth[max(0, row - 30) : row + 30, max(0, column - 30) : column + 30] = 0
    return found


def synthetic(folder: Path) -> tuple[Path, np.ndarray]:
    """A folder of two images without labels, and where the first one's pores are."""
    assert main(["synthetic", str(folder / "made"), "--count", "2", "--size", "384,384", "--seed", "7"]) == 0
    truth = read_label(sorted((folder / "made" / "labels").iterdir())[0]) > 0
    return (folder / "made" / "images").rename(folder / "rock"), truth


def the_loop(folder: Path, picture: Path) -> None:
    """What a person does, with a picture of the window after the corrections."""
    rock, truth = synthetic(folder)
    viewer = napari.Viewer(title="vlsenet label")
    viewer.window.resize(1300, 850)
    dock = LabelDock(viewer, rock)
    viewer.window.add_dock_widget(dock, name="Label and train", area="right")
    QTest.qWait(500)
    viewer.reset_view()
    QTest.qWait(500)
    person = Person(dock)
    session = dock.session
    assert session is not None

    for spot in spots(truth, 8):
        person.drags(PORE, spot, (spot[0] + 1, spot[1] + 1))
    for row, column in spots(~truth, 8):
        person.drags(REST, (row - 8, column), (row, column + 2), (row + 8, column))
    painted = np.asarray(viewer.layers[STROKES].data)
    assert truth[painted == PORE].mean() > 0.9
    assert truth[painted == REST].mean() < 0.1
    person.waits_for(lambda: any((session.root / "labels").glob("*.png")))

    person.clicks(dock.preview_button)
    person.waits_for(lambda: PREVIEW in viewer.layers)

    dock.training_settings = lambda: QUICK  # type: ignore[method-assign]
    person.clicks(dock.train_button)
    person.waits_for(lambda: "than before" in dock.told.text() or "as before" in dock.told.text())
    first = dock.told.text()
    taken_over = (session.root / MODEL).is_file()
    assert taken_over != ("worse" in first)
    person.clicks(dock.preview_button)
    person.waits_for(lambda: "preview:" in dock.told.text())

    wrong = (np.asarray(viewer.layers[PREVIEW].data) == PORE) != truth
    for row, column in spots(wrong, 3):
        person.drags(PORE if truth[row, column] else REST, (row, column))
    picture.parent.mkdir(parents=True, exist_ok=True)
    viewer.window.screenshot(str(picture), canvas_only=False, flash=False)

    person.clicks(dock.train_button)
    person.waits_for(lambda: "training from" in dock.told.text())
    training = dock.watch.training
    assert training is not None
    assert (training.start == session.root / MODEL) == taken_over
    person.waits_for(lambda: "than before" in dock.told.text() or "as before" in dock.told.text())
    person.waits_for(lambda: UNCERTAINTY in viewer.layers or not (session.root / MODEL).is_file())
    person.clicks(dock.segment_button)
    person.waits_for(lambda: "report.html" in dock.told.text())
    dock.close_all()
    viewer.close()


@pytest.mark.slow
def test_the_loop(tmp_path: Path, qapp: Any) -> None:
    the_loop(tmp_path, tmp_path / "label.png")
    assert (tmp_path / "label.png").stat().st_size > 50_000


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        the_loop(Path(made), Path(sys.argv[1]))
