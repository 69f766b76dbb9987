"""`vlsenet rerun`: repeat a training from MLflow alone, and compare the numbers."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.compare import store_address
from pipeline.cli.console import EXIT_STATUS, own_messages
from pipeline.cli.parser import CommandParser
from pipeline.errors import FINE, MISTAKE

ABOUT = "repeat a training from MLflow alone, and say whether the numbers agree"
_EXAMPLES = f"""\
Takes config, seed, split and number of threads from the run, refuses other data, warns of different code, packages or
processors, trains and evaluates again, and compares every metric of every epoch. With the same code on the same
processor the metrics are identical to the last bit; elsewhere rounding differs. The exit status is 1 if they differ by
more than the tolerance. The new run goes to the same store, into the experiment "NAME reruns".

examples:
  vlsenet rerun RUN_ID runs/ablation --output_dir runs/again

  # a run on a server; the data have moved
  vlsenet rerun RUN_ID http://localhost:5000 --dataset_dir nankai --output_dir runs/again

{EXIT_STATUS}"""


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    option = parser.add_argument
    option("run_id", metavar="RUN_ID", help="MLflow id of a finished training")
    option("store", metavar="STORE", help="sqlite:///FILE.db, a server's address, or a folder of runs")
    option("--output_dir", metavar="DIR", help="a new folder (required)")
    option("--dataset_dir", default=None, metavar="DIR", help="where the data are now (default: where they were)")
    option(
        "--tolerance",
        type=float,
        metavar="T",
        help="largest difference that still counts as agreement (default: 0.005)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Repeat a run; returns the exit status.

    Raises:
        UserError: a problem with the run, the data or the folder.
    """
    if not hasattr(options, "output_dir"):
        options.parser.error("--output_dir is missing: give a new folder for the results")
    address = store_address(options.store)
    with own_messages():
        from pipeline.experiments.rerun import TOLERANCE, rerun

        tolerance = getattr(options, "tolerance", TOLERANCE)
        found = rerun(options.run_id, address, Path(options.output_dir), options.dataset_dir, tolerance)
    print(found.agreement)
    return FINE if found.agreement.agrees else MISTAKE
