"""Compare the evaluated runs of an MLflow store: the same as vlsenet compare.

The stores may also be named by --tracking_uri URI ..., as for other programs that read MLflow.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli.main import main


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    # what follows an option that is taken away stands in its place, where the command has it
    return main(["compare", *(word.removeprefix("--tracking_uri=") for word in words if word != "--tracking_uri")])


if __name__ == "__main__":
    sys.exit(run())
