"""Interrupts of the processes that tests start."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """In the child (`preexec_fn`): a test run in the background, or by nohup, hands down that they are ignored."""
    for ends in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ends, signal.SIG_DFL)
