"""A scan that is larger than what can be painted on at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import zarr

from pipeline.images import read_label
from pipeline.images.rectangles import Part, Window
from tests.label.painted_rock import PORE
from tests.label.window_needed import skip_without_window

skip_without_window()

from pipeline.label.asked_model import AskedModel  # noqa: E402
from pipeline.label.canvas_view import camera_of  # noqa: E402
from pipeline.label.dock import LabelDock  # noqa: E402
from pipeline.label.painted_field import FIELD  # noqa: E402
from pipeline.label.window_layers import STROKES  # noqa: E402

LARGE = 16384


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
    before, begun = process.memory_full_info().uss, time.process_time()
    dock.open(scan)
    assert time.process_time() - begun < 3  # of this process: the machine may be busy
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
