"""Repeat a run of an MLflow store, and say whether the numbers agree: the same as vlsenet rerun."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli.main import main


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return main(["rerun", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(run())
