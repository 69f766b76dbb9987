"""`vlsenet train`: images and masks -> a model."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.options import add_common_options, add_dataset_options, overrides
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
_PATHS = ("dataset_dir", "output_dir", "text_weights", "start_from")


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    option = parser.add_argument
    option("dataset_dir", metavar="DATASET_DIR", help="folder with images/ and labels/")
    option("--output_dir", metavar="DIR", help="folder of the results (required)")
    add_dataset_options(parser)
    option("--network", choices=("vlsenet", "unet"), help="VLSE-Net (default), or the baseline")
    option("--preset", choices=("small", "base", "large"), help="widths of the network (default: small)")
    option("--max_epochs", type=int, metavar="N", help="length of the training (default: 40)")
    option("--batch_size", type=int, metavar="N", help="patches in a step (default: 8)")
    option("--seed", type=int, metavar="K", help="random seed (default: 0)")
    option(
        "--text_source",
        metavar="NAME",
        help="text prior: learned (default), clip, none, random, or untrained (for tests)",
    )
    option("--text_weights", metavar="FILE", help="file or folder with CLIP's weights, where they can't be downloaded")
    option("--start_from", metavar="FILE", help="start with the weights of this model: best.pt of another training")
    option("--resume", action="store_true", help="resume from the last epoch in the output folder")
    option("--tracking_uri", metavar="URI", help="MLflow store (default: mlflow.db in the output folder)")
    add_common_options(parser, "train", "learning_rate=1e-3")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit status.

    Raises:
        UserError: something is missing or wrong.
    """
    if not hasattr(options, "output_dir"):
        options.parser.error("--output_dir is missing: give a folder for the results, such as --output_dir runs/first")
    existing_folder(options.dataset_dir)
    given = overrides(options, "train", _PATHS)
    return run_bundle("train", f"training on {options.dataset_dir}; results in {options.output_dir}", given)
