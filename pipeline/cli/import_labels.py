"""`vlsenet import-labels`: labels from other programs, and corrected results, to the labels of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.console import own_messages
from pipeline.cli.parser import Command
from pipeline.errors import SUCCESS, UserError
from pipeline.options import options_of


def run(options: argparse.Namespace) -> int:
    """Write the labels; returns the exit status.

    Raises:
        UserError: a value, or one of the files.
    """
    for name, option in options_of("import-labels").items():
        option.check(getattr(options, name))
    from pipeline.annotations.importing import ImportSettings, import_labels

    settings = ImportSettings(
        options.phases,
        _pairs(options.rename),
        options.unnamed or "",
        options.background,
        options.colours,
        options.line_width,
        options.new_phases,
        options.overwrite,
    )
    root = Path(options.dataset)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give a data set's folder, with images/")
    with own_messages():
        written = import_labels(root, [Path(file) for file in options.files], settings)
    print(f"wrote {len(written)} label(s) into {written[0].parent}, and {root / 'phases.csv'}")
    return SUCCESS


def _pairs(text: str | None) -> dict[str, str]:
    """Classes and phases from `A=b, C=d`."""
    found = {}
    for part in filter(str.strip, (text or "").split(",")):
        name, sign, phase = part.partition("=")
        if not sign or not name.strip() or not phase.strip():
            raise UserError(f"--rename {text}: {part.strip()!r} is not CLASS=PHASE; give it as in 'Pore_v2=pore'")
        found[name.strip()] = phase.strip()
    return found


COMMAND = Command(
    "labels from other programs, or a corrected result, to the labels of a data set",
    """\
Reads LabelMe and COCO JSON, QuPath's GeoJSON, ROIs of ImageJ and Fiji (.roi, .zip), Labkit's labelings, strokes of
ilastik's projects (.ilp), label images (ilastik, napari, Labkit, Dragonfly), masks in colour, and results of vlsenet
segment that were corrected. Each file belongs to the image that it names, or that it is named after. Writes
labels/NAME.png and phases.csv; what nothing marks is unlabelled.

examples:
  # all annotations that lie in my_rock/images
  vlsenet import-labels my_rock

  # a folder of GeoJSON from QuPath, where every pore was outlined
  vlsenet import-labels my_rock exported --background rest

  # strokes from ilastik: of the project, or an exported image in which 1 is pore, 2 is rock, 0 is not labelled
  vlsenet import-labels my_rock strokes.ilp --rename "Label 1=pore, Label 2=rest"
  vlsenet import-labels my_rock strokes/scan.tif --phases "pore=1, rest=2"

  # our own result, corrected in napari or Fiji
  vlsenet import-labels my_rock scan_pores/mask.ome.tif --overwrite

  # masks in colour
  vlsenet import-labels my_rock masks --colours "pore=#ff0000, clay=#00ff00, rest=#000000"
""",
    run,
    options="import-labels",
    arguments=(
        ("dataset", "DATASET", "folder with images/"),
        ("files", "FILE*", "annotations, or folders of them (default: those in images/ and labels/)"),
    ),
)
