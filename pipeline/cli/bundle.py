"""`vlsenet bundle`: a trained model as a MONAI bundle in one zip file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.cli.console import own_messages
from pipeline.cli.parser import Command
from pipeline.cli.paths import find_checkpoint
from pipeline.errors import SUCCESS
from pipeline.options import options_of


def run(options: argparse.Namespace) -> int:
    """Write the zip file; returns the exit status.

    Raises:
        UserError: there is no model, a value is wrong, or the scores are of another model.
    """
    for name, option in options_of("bundle").items():
        option.check(getattr(options, name, None))
    checkpoint, where = find_checkpoint(options.checkpoint)
    print(f"packing {checkpoint}{where} into {options.output_dir}", file=sys.stderr, flush=True)
    from pipeline.workflows.bundle_zip import BundleFacts, write_bundle

    given = {name: getattr(options, name) for name in ("name", "authors", "licence", "data_source")}
    facts = BundleFacts(**{name: value for name, value in given.items() if value is not None})
    with own_messages():
        path = write_bundle(checkpoint, Path(options.output_dir), facts, options.scores, options.overwrite)
    print(f"wrote {path}")
    return SUCCESS


COMMAND = Command(
    "pack a model as a MONAI bundle: configs, weights, card and metadata in one zip file",
    """\
Writes NAME_vVERSION.zip, which is all that another machine needs where vlsenet is installed: unpacked, its
models/model.pt is a --checkpoint, and MONAI's own commands take its configs; in Python, vlsenet.load takes the zip
file. The card (docs/README.md) and metadata.json say what the model's file says; give the rest. The model is given by
--checkpoint or the environment variable VLSENET_CHECKPOINT, or is best.pt (or the only .pt) in the current folder, or
else the default model, which comes with vlsenet.

examples:
  vlsenet bundle --checkpoint runs/first/checkpoints/best.pt --output_dir for_colleagues

  # with the scores of an evaluation, and what only you know
  vlsenet bundle --checkpoint runs/first/checkpoints/best.pt --output_dir for_colleagues --name shale_pores \\
      --scores runs/first/val --authors "R. Miller" --licence CC-BY-4.0 --data_source "own micrographs of shale"
""",
    run,
    options="bundle",
)
