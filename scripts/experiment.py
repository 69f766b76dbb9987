"""Train variants on folds with several seeds, and compare them: the same as vlsenet experiment."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli.main import main


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    return main(["experiment", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(run())
