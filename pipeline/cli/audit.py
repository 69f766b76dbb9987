"""`vlsenet audit`: a model with other texts than its own -> what the text is worth."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.evaluate import complete
from pipeline.cli.parser import CommandParser

ABOUT = "measure what the text prior is worth: score a model with its prompts, with other texts and with none"
_EXAMPLES = f"""\
Evaluates a model with its own prompts, with prompts exchanged among the images, with 'pore' for all, with an empty
text, with random features and with zeros. Prints the table and writes audit.csv, audit.json and audit.png; the scores
go to MLflow. Prompts of the training need no CLIP. The model is given by --checkpoint or the environment variable
VLSENET_CHECKPOINT, or is best.pt (or the only .pt) in the current folder.

examples:
  vlsenet audit my_rock --checkpoint runs/first/checkpoints/best.pt

  # an empty text needs CLIP's text tower if the training did not store its features
  vlsenet audit my_rock --checkpoint best.pt --text_weights RN50.pt --split test --output_dir runs/first/audit

{EXIT_STATUS}"""


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    parser.add_options("audit", "dataset_dir", example="mirror=false")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Audit; returns the exit status.

    Raises:
        UserError: something is missing or wrong.
    """
    what = complete(options, "_audit")
    return run_bundle("audit", f"auditing {what}; results in {options.output_dir}", options)
