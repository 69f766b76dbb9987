"""Write split.csv for a data set, and look for leaks between splits: the same as vlsenet prepare.

The data set may also be named by --dataset_dir DIR.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli.main import main


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    # what follows an option that is taken away stands in its place, where the command has it
    return main(["prepare", *(word.removeprefix("--dataset_dir=") for word in words if word != "--dataset_dir")])


if __name__ == "__main__":
    sys.exit(run())
