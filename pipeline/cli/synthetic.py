"""`vlsenet synthetic`: a labelled data set of synthetic SEM images, to try the commands on."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.cli.console import EXIT_STATUS
from pipeline.cli.parser import CommandParser
from pipeline.errors import SUCCESS

ABOUT = "write synthetic SEM images of rock with exact masks, to try the commands on"
_EXAMPLES = f"""\
Porosity, anisotropy and orientation take one number (the same for every image) or two (each image draws its own
value between them).

examples:
  # 40 images of 256 x 256 pixels, 8 of them for validation and 8 for testing
  vlsenet synthetic my_synthetic

  # 20 large images, thin pores in one direction
  vlsenet synthetic my_synthetic --count 20 --size 1024 1024 --anisotropy 0.9 --orientation 30

{EXIT_STATUS}"""
_RANGES = {"porosity": "porosity", "anisotropy": "anisotropy", "orientation": "orientation_deg"}


def add(parser: CommandParser) -> None:
    """Add the command's options."""
    parser.epilog = _EXAMPLES
    option = parser.add_argument
    option("output_dir", metavar="DIR", help="folder to write; must be empty or absent")
    option("--count", type=int, metavar="N", default=40, help="number of images (default: 40)")
    option("--size", type=int, nargs=2, metavar=("H", "W"), default=(256, 256), help="pixels (default: 256 256)")
    option("--seed", type=int, metavar="K", help="same seed, same images (default: 0)")
    option("--porosity", type=float, nargs="+", metavar="P", help="pore area fraction, 0 to 0.4 (default: 0.05 0.15)")
    option("--anisotropy", type=float, nargs="+", metavar="A", help="alignment, 0 to 1 (default: 0.2 0.9)")
    option(
        "--orientation",
        type=float,
        nargs="+",
        metavar="DEG",
        help="preferred direction, counter-clockwise from horizontal (default: 0 180)",
    )
    option("--pixel_size_nm", type=float, metavar="NM", help="pixel size in nanometres (default: 20)")
    option("--val", type=float, metavar="N", help="validation images: a number, or a share below 1 (default: 0.2)")
    option("--test", type=float, metavar="N", help="test images: a number, or a share below 1 (default: 0.2)")
    option("--info_bar", action="store_true", help="write the microscope's info bar under each image")
    option(
        "--text",
        action="store_true",
        help="also write text/: sentences made FROM THE TRUE MASKS, for tests of the text path only; "
        "a score of a model that reads them is worth nothing",
    )
    option("--overwrite", action="store_true", help="replace an earlier synthetic set in the folder")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the images; returns the exit status.

    Raises:
        UserError: a value or the folder does not allow it.
    """
    given = vars(options)
    ranges: dict[str, Any] = {}
    for name, setting in _RANGES.items():
        values = given.get(name)
        if values is not None and len(values) > 2:
            options.parser.error(f"--{name} takes one or two numbers, got {len(values)}")
        if values is not None:
            ranges[setting] = values[0], values[-1]

    from tqdm import tqdm

    from pipeline.synthetic import DatasetSettings, SceneSettings, write_dataset

    scene = {name: given[name] for name in ("info_bar", "pixel_size_nm") if name in given}
    settings = DatasetSettings(scene=SceneSettings(**scene), **ranges)
    how = {name: given[name] for name in ("seed", "val", "test", "text", "overwrite") if name in given}
    # the delay keeps an empty bar from standing above an error
    with tqdm(total=options.count, unit="image", desc="synthetic SEM", delay=0.5) as bar:
        write_dataset(
            options.output_dir,
            options.count,
            tuple(options.size),
            settings=settings,
            on_sample=lambda name: bar.update(),
            **how,
        )
    return SUCCESS
