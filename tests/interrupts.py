"""Ctrl-C in processes that tests start."""

from __future__ import annotations

import signal


def heed_interrupts() -> None:
    """In the child (`preexec_fn`): a test run in the background, or by nohup, hands down that they are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
