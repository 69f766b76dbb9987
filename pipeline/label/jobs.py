"""What takes time, beside the window: one job at a time, and what it gave, in the window's own thread."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, QTimer

from pipeline.errors import UserError

#: between two looks whether a job is done (ms)
_LOOK = 100


class Jobs(QObject):
    """A thread for jobs.

    Args:
        parent: whose end ends it.
        failed: told of errors, in the window's thread.
    """

    def __init__(self, parent: QObject, failed: Callable[[BaseException], None]) -> None:
        super().__init__(parent)
        self._failed = failed
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="label")
        self._running: list[tuple[Future[Any], Callable[[Any], None]]] = []
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)

    @property
    def is_busy(self) -> bool:
        """Whether a job is running or waiting."""
        return bool(self._running)

    def start(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Run a function in the thread, and give its result to another one in the window's thread."""
        self._running.append((self._executor.submit(work), then))
        self._timer.start(_LOOK)

    def _look(self) -> None:
        for entry in [one for one in self._running if one[0].done()]:
            self._running.remove(entry)
            future, then = entry
            try:
                then(future.result())
            except Exception as error:  # of the job, or of what shows it: the window stays
                self._failed(error)
        if not self._running:
            self._timer.stop()

    def close(self) -> None:
        """No further job; the one that runs is left to end by itself."""
        self._timer.stop()
        self._running.clear()
        self._executor.shutdown(wait=False, cancel_futures=True)


def segmented(image: Path, model: Path, folder: Path) -> list[str]:
    """Run `vlsenet segment` on an image, with its report; what it prints, line by line.

    Raises:
        UserError: it failed.
    """
    command = [sys.executable, "-m", "pipeline.cli", "segment", str(image), "--checkpoint", str(model)]
    done = subprocess.run(
        [*command, "--output_dir", str(folder), "--overwrite"], capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        raise UserError((lines or done.stderr.splitlines() or ["it failed"])[-1].removeprefix("error: "))
    return done.stdout.strip().splitlines()
