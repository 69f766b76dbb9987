"""Write a folder of synthetic SEM images of porous rock, ready for training."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

EXAMPLE = """\
Porosity, anisotropy and orientation take one number (the same for every image) or two (each image draws its own
value between them).

example: 40 images of 256 x 256 pixels, 8 of them for validation and 8 for testing
  python scripts/make_synthetic.py --output_dir out/synthetic --count 40 --size 256 256 --val 8 --test 8

exit status: 0 success; 1 a mistake in a value or the folder; 2 wrong usage; 130 interrupted
"""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\n")


def build_parser() -> argparse.ArgumentParser:
    """Build the command line; options that are left out get `DatasetSettings`' and `SceneSettings`' defaults."""
    parser = OneLineParser(
        prog="make_synthetic.py",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--output_dir", required=True, metavar="DIR", help="folder to write; must be empty or absent")
    add("--count", type=int, default=40, metavar="N", help="number of images (default: %(default)s)")
    add("--size", type=int, nargs=2, default=(256, 256), metavar=("H", "W"), help="pixels (default: 256 256)")
    add("--seed", type=int, default=0, help="same seed, same images (default: %(default)s)")
    add("--porosity", type=float, nargs="+", metavar="P", help="pore area fraction, 0 to 0.4 (default: 0.05 0.15)")
    add("--anisotropy", type=float, nargs="+", metavar="A", help="alignment, 0 to 1 (default: 0.2 0.9)")
    add(
        "--orientation",
        type=float,
        nargs="+",
        metavar="DEG",
        help="preferred direction, counter-clockwise from horizontal (default: 0 180)",
    )
    add("--pixel_size", type=float, metavar="NM", help="pixel size in nanometres (default: 20)")
    for name, what in (("val", "validation"), ("test", "test")):
        add(
            f"--{name}",
            type=float,
            default=0.2,
            metavar="N",
            help=f"{what} images: a number, or a share below 1 (default: %(default)s)",
        )
    add("--info_bar", action="store_true", help="write the microscope's info bar under each image")
    add("--overwrite", action="store_true", help="replace an earlier synthetic set in the folder")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    ranges = {"porosity": options.porosity, "anisotropy": options.anisotropy, "orientation": options.orientation}
    for name, values in ranges.items():
        if values is not None and len(values) > 2:
            parser.error(f"--{name} takes one or two numbers, got {len(values)}")

    # imports wait until the command line is known to be right, so that --help answers at once
    from pipeline.cli.console import run_command

    return run_command(lambda: run(options, ranges), f"interrupted; {options.output_dir} is incomplete")


def run(options: argparse.Namespace, ranges: dict[str, list[float] | None]) -> int:
    """Write the images; returns the exit status.

    Args:
        options: of the command line.
        ranges: one or two numbers for each quantity that images draw; None: the default.

    Raises:
        UserError: a value or the folder does not allow it.
    """
    from tqdm import tqdm

    from pipeline.synthetic import DatasetSettings, SceneSettings, write_dataset

    given: dict[str, Any] = {name: (values[0], values[-1]) for name, values in ranges.items() if values is not None}
    if "orientation" in given:
        given["orientation_deg"] = given.pop("orientation")
    scene: dict[str, Any] = {"info_bar": options.info_bar}
    if options.pixel_size is not None:
        scene["pixel_size_nm"] = options.pixel_size
    settings = DatasetSettings(scene=SceneSettings(**scene), **given)
    # the delay keeps an empty bar from standing above an error
    with tqdm(total=options.count, unit="image", desc="synthetic SEM", delay=0.5) as bar:
        write_dataset(
            options.output_dir,
            options.count,
            tuple(options.size),
            seed=options.seed,
            settings=settings,
            val=options.val,
            test=options.test,
            overwrite=options.overwrite,
            on_sample=lambda name: bar.update(),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
