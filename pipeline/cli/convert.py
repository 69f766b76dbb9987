"""`vlsenet convert`: other forms of a finished segmentation, without segmenting again."""

from __future__ import annotations

import argparse

from pipeline.cli.console import own_messages
from pipeline.cli.parser import Command
from pipeline.errors import SUCCESS
from pipeline.options import options_of


def run(options: argparse.Namespace) -> int:
    """Write the files; returns the exit status.

    Raises:
        UserError: a value, or the folder holds no finished segmentation.
    """
    for name, option in options_of("convert").items():
        option.check(getattr(options, name, None))
    from pipeline.workflows.scan.conversion import convert

    with own_messages():
        for path in convert(
            options.result, options.formats, options.output_dir, options.most_outlines, options.tolerance
        ):
            print(f"wrote {path}")
    return SUCCESS


COMMAND = Command(
    "write other forms of a finished segmentation, without segmenting again",
    """\
Writes, for each phase of the segmentation: `tiff` and `nifti` the mask, or the label image of several phases;
`instances` an image in which every pixel has the number of its pore in pores.csv; `geojson` outlines for QuPath and
`roi` for ImageJ and Fiji, with the same numbers; `csv` what the report's figures draw. Neither the scan nor the model
is needed.

examples:
  # outlines for QuPath (drop the file on the image) and for Fiji's ROI Manager
  vlsenet convert scan_pores --formats geojson,roi

  # the numbers of the table as an image, and the size bins, D50, S2 and chords as tables
  vlsenet convert scan_pores --formats instances,csv

  # the 500 largest pores only, to the pixel
  vlsenet convert scan_pores --formats geojson --most_outlines 500 --tolerance 0
""",
    run,
    options="convert",
    arguments=(("result", "RESULT", "folder that vlsenet segment wrote"),),
)
