"""`vlsenet evaluate`: a model on labelled images -> scores."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.parser import CommandParser
from pipeline.cli.paths import existing_folders, find_checkpoint, output_folder
from pipeline.files import name_that_fits

ABOUT = "score a model on labelled images"
_EXAMPLES = f"""\
Prints the table of scores and writes per_image.csv, per_pore.csv, summary.json and overlays/. The model is given by
--checkpoint or the environment variable VLSENET_CHECKPOINT, or is best.pt (or the only .pt) in the current folder. If
best.pt is in the folder of its training, the scores also go to the training's MLflow run, for vlsenet compare.

examples:
  vlsenet evaluate my_rock --checkpoint runs/first/checkpoints/best.pt

  # all images of another data set, where label value 2 is pore
  vlsenet evaluate other_rock --checkpoint best.pt --split all --pore_label 2 --output_dir runs/first/other_rock

  # two seeds of one variant, compared with runs/unet, which was evaluated in the same way
  vlsenet evaluate my_rock --checkpoint runs/first/checkpoints/best.pt --variant mine --output_dir runs/first/val
  vlsenet evaluate my_rock --checkpoint runs/second/checkpoints/best.pt --variant mine --output_dir runs/second/val
  vlsenet compare runs/first runs/second runs/unet --output_dir comparison

{EXIT_STATUS}"""


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    parser.add_options("evaluate", "dataset_dir", example="mirror=false")
    parser.set_defaults(run=run)


def complete(options: argparse.Namespace, suffix: str) -> str:
    """Fill in the model and the folder of the results if they were not given.

    Args:
        options: as parsed.
        suffix: of the folder's name, after the name of the data set.

    Returns:
        The model and the data, as a message names them: with where the model was found, if it was not given.

    Raises:
        UserError: there is no such data set or model.
    """
    data = existing_folders(options.dataset_dir)
    options.checkpoint, where = find_checkpoint(getattr(options, "checkpoint", None))
    if not hasattr(options, "output_dir"):
        names = [output_folder(folder, "") for folder in options.dataset_dir]
        options.output_dir = name_that_fits("_".join(names), after=suffix)
    return f"{options.checkpoint}{where} on {data}"


def run(options: argparse.Namespace) -> int:
    """Evaluate; returns the exit status.

    Raises:
        UserError: something is missing or wrong.
    """
    what = complete(options, "_scores")
    return run_bundle("evaluate", f"evaluating {what}; results in {options.output_dir}", options)
