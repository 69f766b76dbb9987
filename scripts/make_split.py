"""Write split.csv for a data set, by source image and stratified by porosity, and look for leaks between splits."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli.console import WRONG_USAGE, run_command
from pipeline.cli.parser import CommandParser
from pipeline.cli.prepare import add_split_options, run

EXAMPLES = r"""
The same as vlsenet prepare.

examples:
  # each image is a micrograph of its own
  python scripts/make_split.py --dataset_dir DIR

  # tiles 11_1.png, 11_2.png, ... are parts of micrograph 11; label value 2 is pore
  python scripts/make_split.py --dataset_dir DIR --pore_label 2 --group_pattern '^(\d+)_'

  # also keep 20 % of the pixels for a test
  python scripts/make_split.py --dataset_dir DIR --val 0.2 --test 0.2

  # only look for leaks in the split.csv that is there
  python scripts/make_split.py --dataset_dir DIR --check

exit status: 0 when all is well, 1 when two splits share content (split.csv is written all the same), 2 for a
mistake in the options or the data
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = CommandParser(about=__doc__, examples=EXAMPLES)
    parser.add_argument("--dataset_dir", required=True, metavar="DIR", help="folder with images/ and labels/")
    add_split_options(parser)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.refuse(unknown)
    return run_command(lambda: run(options), mistake_status=WRONG_USAGE)


if __name__ == "__main__":
    sys.exit(main())
