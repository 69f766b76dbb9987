"""`vlsenet export`: a model -> files for other programs."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.parser import CommandParser
from pipeline.cli.paths import find_checkpoint

ABOUT = "export a model for other programs: torch.export, ONNX, TorchScript"
_EXAMPLES = f"""\
Writes model.pt2, model.onnx and model.ts, each checked against PyTorch, and export.json, which says how to prepare
images. The model is given by --checkpoint or the environment variable VLSENET_CHECKPOINT, or is best.pt (or the only
.pt) in the current folder.

examples:
  vlsenet export --checkpoint runs/first/checkpoints/best.pt

  # only for ONNX Runtime
  vlsenet export --checkpoint best.pt --formats onnx --output_dir for_onnx

{EXIT_STATUS}"""


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    parser.add_options("export", example="prompt='rock pore'")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export; returns the exit status.

    Raises:
        UserError: something is missing or wrong.
    """
    options.checkpoint, where = find_checkpoint(getattr(options, "checkpoint", None))
    if not hasattr(options, "output_dir"):
        options.output_dir = "exported"
    return run_bundle("export", f"exporting {options.checkpoint}{where} into {options.output_dir}", options)
