"""Send what an MLflow server did not take while it was away, from the folder of the results that kept it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = """
example:
  python scripts/send_to_mlflow.py --output_dir runs/first --tracking_uri http://localhost:5000

exit status: 0 nothing is left to send; 1 the server did not accept all, or a file can't be read; 2 wrong usage
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output_dir", required=True, metavar="DIR", help="folder of a training, which holds mlflow_unsent.jsonl")
    add("--tracking_uri", metavar="URI", help="MLflow store of the training (default: DIR/mlflow.db)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = parse(arguments)
    from pipeline.cli.console import run_command

    return run_command(lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Send what is waiting; returns the exit status.

    Raises:
        UserError: The folder is missing, or its file can't be read.
    """
    from pipeline.errors import UserError

    folder = Path(options.output_dir)
    if not folder.is_dir():
        raise UserError(f"--output_dir {folder}: no such folder; give the folder of a training")
    from pipeline.tracking.outbox import send_unsent

    sent, left = send_unsent(folder, options.tracking_uri)
    print(f"{sent} of {sent + left} messages were sent")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
