"""What runs beside the window: it ends when nobody waits for it, and frees nothing of the window."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import zarr

from tests.label.window_needed import skip_without_window

skip_without_window()

from qtpy.QtCore import QObject  # noqa: E402

from pipeline.bundle_files import default_model  # noqa: E402
from pipeline.label.collector import WindowCollector  # noqa: E402
from pipeline.label.handed_over import segmented  # noqa: E402
from pipeline.label.jobs import Jobs, Stopped  # noqa: E402
from pipeline.workflows.label_loop.seen_image import SeenImage  # noqa: E402
from pipeline.workflows.model_file import load_model  # noqa: E402


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def jobs(qapp: Any, told: list[str]) -> Iterator[Jobs]:
    failures: list[BaseException] = []
    parent = QObject()  # it goes when nobody knows it, and takes its children along
    jobs = Jobs(parent, failures.append, told.append)
    yield jobs
    jobs.close()
    assert not failures


def asking(jobs: Jobs, begun: threading.Event) -> None:
    """Work that would last for an hour, and asks whether it is wanted."""
    begun.set()
    for _ in range(360_000):
        jobs.check()
        time.sleep(0.01)


def test_stopping_ends_the_job_that_runs_and_those_that_wait(jobs: Jobs, qtbot: Any) -> None:
    begun, given = threading.Event(), []
    jobs.start(lambda: asking(jobs, begun), given.append)
    jobs.start(lambda: "never begun", given.append)
    assert begun.wait(10)
    before = time.monotonic()
    jobs.stop()
    assert time.monotonic() - before < 5
    assert not jobs.is_busy
    jobs.start(lambda: "next", given.append)
    qtbot.waitUntil(lambda: given == ["next"], timeout=10_000)


def test_a_job_says_how_far_it_is(jobs: Jobs, told: list[str], qtbot: Any) -> None:
    goes_on = threading.Event()
    jobs.start(lambda: (jobs.say("half"), goes_on.wait(10)), lambda _: told.append("done"))
    qtbot.waitUntil(lambda: told == ["half"], timeout=10_000)
    goes_on.set()
    qtbot.waitUntil(lambda: told == ["half", "done"], timeout=10_000)


def test_an_image_that_nobody_waits_for_is_not_read_to_its_end(tmp_path: Path) -> None:
    zarr.open(tmp_path / "a.zarr", mode="w", shape=(8192, 8192), chunks=(1024, 1024), dtype="u1", fill_value=90)
    model, readings = load_model(str(default_model())), []

    def check() -> None:
        readings.append(threading.current_thread().name)
        if len(readings) > 3:
            raise Stopped

    with pytest.raises(Stopped):
        SeenImage.opened(tmp_path / "a.zarr", model, "keep", before_reading=check)
    assert len(readings) < 32  # of 64 and more


def test_a_segmentation_that_nobody_waits_for_is_ended(tmp_path: Path) -> None:
    def check() -> None:
        raise Stopped

    before = time.monotonic()
    with pytest.raises(Stopped):
        segmented(tmp_path / "a.tif", tmp_path / "model.pt", tmp_path / "out", check, print)
    assert time.monotonic() - before < 20
    assert not [child for child in psutil.Process().children() if "segment" in child.cmdline()]


class Widget:
    """Stands for one: it is a cycle, and notes in which thread it is freed."""

    def __init__(self, freed: list[str]) -> None:
        self.itself, self._freed = self, freed

    def __del__(self) -> None:
        self._freed.append(threading.current_thread().name)


def test_widgets_are_freed_in_the_thread_of_the_window_alone(jobs: Jobs, qtbot: Any) -> None:
    freed: list[str] = []
    parent = QObject()
    collector = WindowCollector(parent)
    try:
        assert not gc.isenabled()
        for _ in range(200):
            Widget(freed)
        done: list[int] = []
        jobs.start(lambda: len([[number] for number in range(200_000)]), done.append)  # which collected them before
        qtbot.waitUntil(lambda: bool(done), timeout=60_000)
        kept = [[number] for number in range(2_000)]  # something is due
        qtbot.waitUntil(lambda: len(freed) == 200, timeout=10_000)
        assert set(freed) == {threading.main_thread().name}
        assert len(kept) == 2_000
    finally:
        collector.close()
        collector.close()
    assert gc.isenabled()


_WINDOW = """
import sys, time
from pathlib import Path
from pipeline.label.triton_apart import load_triton_apart
load_triton_apart()
import napari
from qtpy.QtCore import QTimer
from pipeline.label.dock import LabelDock

viewer = napari.Viewer()
dock = LabelDock(viewer, Path(sys.argv[1]))
viewer.window.add_dock_widget(dock, name="Label and train")
begun = time.monotonic()


def close():
    if dock._jobs.is_busy and time.monotonic() - begun > 1:  # it is being looked through
        print("busy", flush=True)
        global begun_to_close
        begun_to_close = time.monotonic()
        viewer.layers["strokes"].paint((5, 5), 2)
        viewer.window.close()
    elif time.monotonic() - begun > 120 or not dock._jobs.is_busy:
        print("was done too soon", flush=True)
        viewer.window.close()
    else:
        QTimer.singleShot(100, close)


QTimer.singleShot(1000, close)
napari.run()
import threading
print("threads", [one.name for one in threading.enumerate() if one.name.startswith(("label", "cells"))], flush=True)
print("after", time.monotonic() - begun_to_close, flush=True)
"""


@pytest.mark.slow
def test_a_window_closes_while_a_scan_is_looked_through(tmp_path: Path) -> None:
    """As a plugin, whose dock nobody closes."""
    scan = zarr.open(tmp_path / "scan.zarr", mode="w", shape=(40_960, 40_960), chunks=(2048, 2048), dtype="u1")
    scan[:2048, :2048] = np.random.default_rng(0).integers(0, 255, (2048, 2048), np.uint8)
    script = [sys.executable, "-c", _WINDOW, tmp_path / "scan.zarr"]
    done = subprocess.run(script, capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=400)
    assert "busy" in done.stdout, done.stdout + done.stderr[-800:]
    assert "threads []" in done.stdout
    assert float(done.stdout.split("after ")[1]) < 60  # of many minutes, on a machine that is busy
    field = (40_960 - 2048) // 2
    label = zarr.open(tmp_path / "scan_labelled" / "labels" / "scan.zarr", mode="r")
    assert (label[field : field + 20, field : field + 20] == 1).any()  # what was painted last
    assert done.returncode == 0
    assert "RuntimeError" not in done.stdout + done.stderr  # of what Qt has deleted
