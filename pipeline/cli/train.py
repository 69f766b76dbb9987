"""`vlsenet train`: images and masks -> a model."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.parser import CommandParser
from pipeline.cli.paths import existing_folders

ABOUT = "train a model on images and masks"
_EXAMPLES = f"""\
Writes checkpoints/best.pt (the model to use), pictures of validation images, and an MLflow store with the run.

examples:
  vlsenet train my_rock --output_dir runs/first

  # label value 2 is pore; tiles 11_1.png, 11_2.png ... belong to micrograph 11; 80 epochs
  vlsenet train my_rock --output_dir runs/second --pore_label 2 --group_pattern '^([0-9]+)_' --max_epochs 80

  # label value 2 is pore, 1 silt grain, and about 255 nothing is known; or write it once into phases.csv
  vlsenet train my_rock --output_dir runs/phases --phases "pore=2, silt grain=1" --unlabelled 255

  # one model of several data sets, each with phases of its own
  vlsenet train my_rock her_steel --output_dir runs/both

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
    data = existing_folders(options.dataset_dir)
    return run_bundle("train", f"training on {data}; results in {options.output_dir}", options)
