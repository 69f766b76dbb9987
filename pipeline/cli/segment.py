"""`vlsenet segment`: an image, a scan of any size, a stack or a folder -> mask, table of pores, porosity, report."""

from __future__ import annotations

import argparse

from pipeline.cli.console import EXIT_STATUS, run_bundle
from pipeline.cli.parser import CommandParser
from pipeline.cli.paths import existing_input, find_checkpoint, output_folder

ABOUT = "segment scans of any size, stacks or folders: mask, table of pores, porosity, report"
_EXAMPLES = f"""\
Writes report.html (open it in a browser), pores.csv, porosity.json and segmentation.ome.zarr; the images of a folder
get a folder of results each. After an interrupt the same command resumes. The model is given by --checkpoint or the
environment variable VLSENET_CHECKPOINT, or is best.pt (or the only .pt) in the current folder.

examples:
  vlsenet segment scan.tif
  vlsenet segment scan.tif --checkpoint runs/first/checkpoints/best.pt --output_dir results

  # every image of a folder, with the pixel size, which the files don't give
  vlsenet segment scans/ --pixel_size_nm 12.5

  # the slices of a FIB-SEM stack as one volume, also as NIfTI
  vlsenet segment slices/ --stack --slice_spacing_nm 10 --formats nifti

  # a part of the scan; only pores of at least 20 px in the table
  vlsenet segment scan.tif --roi 0,0,4096,4096 --min_pore_area_px 20

{EXIT_STATUS}"""


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    parser.add_options("scan", "input", example="halo=256")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Segment; returns the exit status.

    Raises:
        UserError: something is missing or wrong.
    """
    existing_input(options.input)
    options.checkpoint, where = find_checkpoint(getattr(options, "checkpoint", None))
    if not hasattr(options, "output_dir"):
        options.output_dir = output_folder(options.input, "_pores")
    return run_bundle(
        "scan", f"segmenting {options.input} with {options.checkpoint}{where} into {options.output_dir}", options
    )
