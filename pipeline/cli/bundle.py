"""A command of the bundle, run for a person at a terminal."""

from __future__ import annotations

import sys
from typing import Any

from pipeline.cli.messages import own_messages, quieten_monai
from pipeline.exit_status import FINE


def run_bundle(config: str, told: str, overrides: dict[str, Any]) -> int:
    """Run a config; returns the exit status.

    Args:
        config: its name, such as `scan`.
        told: the line printed at the start, as loading PyTorch and MONAI takes seconds.
        overrides: config entries by name.

    Raises:
        SystemExit: it was interrupted.
        Exception: as the workflow raises it.
    """
    print(told, file=sys.stderr, flush=True)
    with own_messages():
        from pipeline.workflows.run_config import run_config

        quieten_monai()
        run_config(config, logging_file=False, **overrides)
    return FINE
