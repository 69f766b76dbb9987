"""A bundle command run by a program, in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import monai.bundle

from pipeline.configs import config_files


def run_config(command: str, **overrides: Any) -> None:
    """Run ``common.yaml`` and the config of a command, as ``python -m monai.bundle run`` would.

    Args:
        command: ``train``, ``evaluate``, ``inference``, ``scan``, ``audit`` or ``export``.
        overrides: config entries by name, and arguments of MONAI's ``run``.

    Raises:
        SystemExit: the command was interrupted.
        Exception: as the command raises it; :func:`pipeline.errors.mistake_behind` tells a user's mistake.
    """
    with _empty_command_line():
        try:
            monai.bundle.run(config_file=config_files(command), **overrides)
        except SystemExit as end:  # also after a command that had to start itself again
            if end.code:
                raise


@contextmanager
def _empty_command_line() -> Iterator[None]:
    """The bundle's commands look into ``sys.argv`` for what a user typed; what stands there is not meant for them."""
    typed = sys.argv
    sys.argv = typed[:1]
    try:
        yield
    finally:
        sys.argv = typed
