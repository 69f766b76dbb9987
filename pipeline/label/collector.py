"""Python's garbage collector, in the window's thread only."""

from __future__ import annotations

import gc
import time
from typing import ClassVar

from qtpy.QtCore import QObject, QTimer

#: between two looks whether there is anything to collect (ms), and between two full collections (s), which take tenths
#: of a second
_LOOK, _FULL = 200, 30.0


class WindowCollector(QObject):
    """Collects cycles of objects in the window's thread while it is open, and in no other.

    Python collects in whichever thread happens to allocate. Closed windows, docks and layers are cycles, and a widget
    that is freed in another thread than its own crashes Qt: a segmentation fault, once in many runs.

    Args:
        parent: whose end ends it; to be closed all the same.
    """

    _open: ClassVar[int] = 0
    _was_enabled: ClassVar[bool] = True

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        if not WindowCollector._open:
            WindowCollector._was_enabled = gc.isenabled()
        WindowCollector._open += 1
        gc.disable()
        self._is_open, self._full_at = True, time.monotonic()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(_LOOK)

    def _look(self) -> None:
        waiting, limits = gc.get_count(), gc.get_threshold()
        full = time.monotonic() - self._full_at > _FULL
        due = [generation for generation in range(3 if full else 2) if waiting[generation] > limits[generation]]
        if due:
            gc.collect(due[-1])
        if due and due[-1] == 2:
            self._full_at = time.monotonic()

    def close(self) -> None:
        """The last one leaves the collector as the first one found it; no other thread may be left at work."""
        if not self._is_open:
            return
        self._is_open = False
        self._timer.stop()
        WindowCollector._open -= 1
        if not WindowCollector._open and WindowCollector._was_enabled:
            gc.enable()
