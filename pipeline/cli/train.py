"""`vlsenet train`: images and masks -> a model."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.parser import CommandParser
from pipeline.cli.paths import existing_folder

ABOUT = "train a model on images and masks"
_EXAMPLES = f"""\
Writes checkpoints/best.pt (the model to use), pictures of validation images, and an MLflow store with the run.

examples:
  vlsenet train my_rock --output_dir runs/first

  # label value 2 is pore; tiles 11_1.png, 11_2.png ... belong to micrograph 11; 80 epochs
  vlsenet train my_rock --output_dir runs/second --pore_label 2 --group_pattern '^([0-9]+)_' --max_epochs 80

  # resume after an interrupt
  vlsenet train my_rock --output_dir runs/first --resume

  # adapt a model to a few labelled images of another rock
  vlsenet train new_rock --output_dir runs/adapted --start_from runs/first/checkpoints/best.pt

  # any other option of train.yaml
  vlsenet train my_rock --output_dir runs/third --set learning_rate=1e-3 --set switches::alignment=false

{EXIT_STATUS}"""


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    parser.add_options("train", "dataset_dir", example="learning_rate=1e-3")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit status.

    Raises:
        UserError: something is missing or wrong.
    """
    existing_folder(options.dataset_dir)
    return run_bundle("train", f"training on {options.dataset_dir}; results in {options.output_dir}", options)
