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
    from pipeline.tracking.stores import set_mlflow_defaults

    folder = Path(options.output_dir)
    if not folder.is_dir():
        raise UserError(f"--output_dir {folder}: no such folder; give the folder of a training")
    set_mlflow_defaults()
    from pipeline.tracking.outbox import Outbox
    from pipeline.tracking.runs import default_tracking_uri
    from pipeline.tracking.stores import STORE_ERRORS, open_store, store_error

    address = options.tracking_uri or default_tracking_uri(str(folder))
    try:
        outbox = Outbox(folder, open_store(address), "", address)
    except STORE_ERRORS as error:
        raise store_error(address, error) from error
    count = len(outbox.waiting())
    left = len(outbox.flush())
    print(f"{count - left} of {count} messages were sent to {address}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
