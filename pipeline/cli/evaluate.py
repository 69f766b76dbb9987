"""`vlsenet evaluate`: a model on labelled images -> scores."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.options import add_common_options, add_dataset_options, overrides
from pipeline.cli.parser import CommandParser
from pipeline.cli.paths import existing_folder, find_checkpoint, output_folder

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
_PATHS = ("dataset_dir", "checkpoint", "output_dir")


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    option = parser.add_argument
    option("dataset_dir", metavar="DATASET_DIR", help="folder with images/ and labels/")
    option("--output_dir", metavar="DIR", help="folder of the results (default: NAME_scores in the current folder)")
    add_model_options(parser)
    option("--variant", metavar="NAME", help="what vlsenet compare calls this model (default: the training's folder)")
    option("--tracking_uri", metavar="URI", help="MLflow store of the scores, or none (default: that of the training)")
    option("--mlflow_run_id", metavar="ID", help="MLflow run of the scores (default: that of the training)")
    add_common_options(parser, "evaluate", "mirror=false")
    parser.set_defaults(run=run)


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the model and the images."""
    option = parser.add_argument
    option("--checkpoint", metavar="FILE", help="model: best.pt of a training")
    option("--split", choices=("train", "val", "test", "all"), help="images of this part (default: val)")
    option("--threshold", type=float, metavar="P", help="pixels at or above this are pore (default: the model's)")
    add_dataset_options(parser)


def complete(options: argparse.Namespace, suffix: str) -> str:
    """Fill in the model and the folder of the results if they were not given.

    Args:
        options: as parsed.
        suffix: of the folder's name, after the name of the data set.

    Returns:
        In brackets where the model was found; empty where it was given.

    Raises:
        UserError: there is no such data set or model.
    """
    existing_folder(options.dataset_dir)
    options.checkpoint, where = find_checkpoint(getattr(options, "checkpoint", None))
    if not hasattr(options, "output_dir"):
        options.output_dir = output_folder(options.dataset_dir, suffix)
    return where


def run(options: argparse.Namespace) -> int:
    """Evaluate; returns the exit status.

    Raises:
        UserError: something is missing or wrong.
    """
    where = complete(options, "_scores")
    given = overrides(options, "evaluate", _PATHS)
    told = f"evaluating {options.checkpoint}{where} on {options.dataset_dir}; results in {options.output_dir}"
    return run_bundle("evaluate", told, given)
