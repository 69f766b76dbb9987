"""A training as a task: it ends with its worker, and one that is repeated waits for the end of its predecessor."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from pipeline.experiments import Run, one_run
from pipeline.experiments.record import locked
from pipeline.experiments.training_task import LOCK, TrainingTask, run_training


def test_a_training_ends_when_its_worker_is_gone(monkeypatch):
    reading, writing = os.pipe()
    killed = []
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    monkeypatch.setattr(os, "kill", lambda *given: killed.append(given))
    os.close(writing)
    one_run._wait_for_the_end()
    assert killed == [(os.getpid(), signal.SIGTERM)]


def test_a_repeated_training_waits_for_its_predecessor_only(tmp_path: Path):
    run = Run(tmp_path, "a", 0, "", "", {}, {})
    command = (sys.executable, "-c", "import sys; sys.exit(7)")
    task = TrainingTask(run, str(tmp_path), "mine", command=command)
    held, release = threading.Event(), threading.Event()

    def hold(mark: str) -> None:
        with locked(tmp_path / LOCK) as descriptor:
            os.write(descriptor, mark.encode())
            held.set()
            release.wait(30)

    other = threading.Thread(target=hold, args=("another command's",))
    other.start()
    held.wait(30)
    assert run_training(task) is None
    release.set()
    other.join()
    assert run_training(task) == 7  # and leaves its own mark
    held.clear()
    release.clear()
    predecessor = threading.Thread(target=hold, args=("",))
    predecessor.start()
    held.wait(30)
    threading.Timer(0.3, release.set).start()
    started = time.monotonic()
    assert run_training(task) == 7
    assert time.monotonic() - started > 0.25
