"""`vlsenet info`: what the file of an image or a model says, and what a folder of results is."""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path

from pipeline.bundle_files import DEFAULT_MODEL
from pipeline.cli.console import own_messages
from pipeline.cli.folder_facts import folder_facts, folder_lines, kind_of
from pipeline.cli.parser import Command
from pipeline.cli.paths import existing_input, model_named
from pipeline.errors import SUCCESS


def run(options: argparse.Namespace) -> int:
    """Show what is known; returns the exit status.

    Raises:
        UserError: the file is missing or can't be read.
    """
    path = existing_input(model_named(options.path))
    with own_messages():
        if is_checkpoint(path):
            from pipeline.cli.facts import checkpoint_facts, checkpoint_lines

            facts = checkpoint_facts(path)
            lines = checkpoint_lines(facts)
        elif (kind := kind_of(path)) is not None:
            facts = folder_facts(path, kind)
            lines = folder_lines(facts, kind)
        else:
            from pipeline.cli.facts import image_facts, image_lines

            facts = image_facts(path, options.page, options.scale_bar_png)
            lines = image_lines(facts)
    if options.json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print(path)
        width = max(len(name) for name, _ in lines)
        for name, value in lines:
            print(f"  {name:{width}}  {value}")
    return SUCCESS


def is_checkpoint(path: str) -> bool:
    """Whether a file is one of PyTorch's; a damaged one by its name."""
    file = Path(path)
    if not file.is_file():
        return False
    if file.suffix in (".pt", ".pth", ".ckpt"):
        return True
    try:
        with zipfile.ZipFile(file) as archive:
            # of a packed bundle, its reader says what to do
            return any(name.endswith(("/data.pkl", DEFAULT_MODEL)) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


COMMAND = Command(
    "show what the file of an image or a model says, or what a folder of results is",
    """\
For an image: size, type, pixel size and where it comes from, the microscope's conditions, info bar and scale bar, how
the file can be read, and anything unusual. For a model: network, parameters, text prior, threshold, training images,
error on other micrographs, versions. For a folder of results (training, segmented scan or scans, evaluation, audit,
experiment, comparison, export) or a data set: what it is, and its main figures.

examples:
  vlsenet info scan.tif
  vlsenet info runs/first/checkpoints/best.pt

  # what is in this folder?
  vlsenet info scan_pores

  # the model that comes with vlsenet
  vlsenet info default

  # a JPEG without a pixel size: what its scale bar says, and the picture of what was read
  vlsenet info micrograph.jpg --scale_bar_png bar.png

  # for programs
  vlsenet info scan.tif --json
""",
    run,
    options="info",
    arguments=(
        (
            "path",
            "FILE|CHECKPOINT|FOLDER",
            "image, scan, folder of slices, best.pt, folder of results, or default: the model that comes with vlsenet",
        ),
    ),
)
