"""`vlsenet export`: a model -> files for other programs."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.options import add_common_options, names, overrides
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
_PATHS = ("checkpoint", "output_dir", "text_weights")


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    option = parser.add_argument
    option("--checkpoint", metavar="FILE", help="model: best.pt of a training")
    option("--output_dir", metavar="DIR", help="folder of the files (default: exported)")
    option("--formats", type=names, metavar="NAME,...", help="some of torch_export, onnx, torchscript (default: all)")
    option("--prompt", metavar="TEXT", help="text built into the exported network (default: pore)")
    option("--text_inputs", action="store_true", help="take the text features as inputs instead")
    option("--threshold", type=float, metavar="P", help="threshold written to export.json (default: the model's)")
    option("--text_weights", metavar="FILE", help="file or folder with CLIP's weights, for a new prompt")
    add_common_options(parser, "export", "prompt='rock pore'", device=False)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Export; returns the exit status.

    Raises:
        UserError: something is missing or wrong.
    """
    options.checkpoint, where = find_checkpoint(getattr(options, "checkpoint", None))
    if not hasattr(options, "output_dir"):
        options.output_dir = "exported"
    given = overrides(options, "export", _PATHS)
    return run_bundle("export", f"exporting {options.checkpoint}{where} into {options.output_dir}", given)
