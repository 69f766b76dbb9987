"""`vlsenet rerun`: repeat a training from MLflow alone, and compare the numbers."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.compare import store_address
from pipeline.cli.console import own_messages
from pipeline.cli.parser import Command
from pipeline.errors import MISTAKE, SUCCESS


def run(options: argparse.Namespace) -> int:
    """Repeat a run; returns the exit status.

    Raises:
        UserError: a problem with the run, the data or the folder.
    """
    address = store_address(options.store)
    with own_messages():
        from pipeline.experiments.rerun import rerun

        found = rerun(options.run_id, address, Path(options.output_dir), options.dataset_dir, options.tolerance)
    print(found.agreement)
    return SUCCESS if found.agreement.agrees else MISTAKE


COMMAND = Command(
    "repeat a training from MLflow alone, and say whether the numbers agree",
    """\
Takes config, seed, split and number of threads from the run, refuses other data, warns of different code, packages or
processors, trains and evaluates again, and compares every metric of every epoch. With the same code on the same
processor the metrics are identical to the last bit; elsewhere rounding differs. The exit status is 1 if they differ by
more than the tolerance. The new run goes to the same store, into the experiment "NAME reruns".

examples:
  vlsenet rerun RUN_ID runs/ablation --output_dir runs/again

  # a run on a server; the data have moved
  vlsenet rerun RUN_ID http://localhost:5000 --dataset_dir nankai --output_dir runs/again

  # a training on two data sets
  vlsenet rerun RUN_ID runs/both --dataset_dir shale steel --output_dir runs/again
""",
    run,
    options="rerun",
    arguments=(
        ("run_id", "RUN_ID", "MLflow id of a finished training"),
        ("store", "STORE", "sqlite:///FILE.db, a server's address, or a folder of runs"),
    ),
)
