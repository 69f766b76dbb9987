"""What takes time, beside the window: one job at a time, and what it gave, in the window's own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from qtpy.QtCore import QObject, QTimer

#: between two looks whether a job is done (ms)
_LOOK = 100


class Stopped(BaseException):
    """Nobody waits for this job any more. No handler of errors is to take it for a damaged file, so it is none."""


class Jobs(QObject):
    """A thread for jobs.

    Args:
        parent: whose end ends it.
        failed: told of errors, in the window's thread.
        told: of what a job says of its progress, in the window's thread.
    """

    def __init__(self, parent: QObject, failed: Callable[[BaseException], None], told: Callable[[str], None]) -> None:
        super().__init__(parent)
        self._failed, self._told = failed, told
        self._said = ""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="label")
        self._running: list[tuple[Future[Any], Callable[[Any], None]]] = []
        self._stopping = threading.Event()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)

    @property
    def is_busy(self) -> bool:
        """Whether a job is running or waiting."""
        return bool(self._running)

    def start(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Run a function in the thread, and give its result to another one in the window's thread.

        Args:
            work: is to call `check` every few seconds, if it takes longer.
            then: is given what it returns.
        """
        self._running.append((self._executor.submit(work), then))
        self._timer.start(_LOOK)

    def check(self) -> None:
        """For jobs: go on, or end.

        Raises:
            Stopped: nobody waits for it.
        """
        if self._stopping.is_set():
            raise Stopped

    def say(self, progress: str) -> None:
        """For jobs: how far it is, which is told in the window."""
        self._said = progress

    def _look(self) -> None:
        if self._said:
            self._told(self._said)
            self._said = ""
        for entry in [one for one in self._running if one[0].done()]:
            self._running.remove(entry)
            future, then = entry
            try:
                then(future.result())
            except Exception as error:  # of the job, or of what shows it: the window stays
                self._failed(error)
        if not self._running:
            self._timer.stop()

    def stop(self) -> None:
        """End all jobs, and wait until the thread is at rest; nobody is given what they found."""
        self._timer.stop()
        self._stopping.set()
        futures = [future for future, _ in self._running]
        for future in futures:
            future.cancel()
        wait(futures)
        self._running.clear()
        self._stopping.clear()

    def close(self) -> None:
        """End all jobs and the thread."""
        self.stop()
        self._executor.shutdown()
