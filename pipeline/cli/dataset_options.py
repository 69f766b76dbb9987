"""Options on how images and data sets are read, the same for all commands that read them."""

from __future__ import annotations

import argparse
from typing import Any

#: options on how a data set is read, by their names in the configs
_READING = ("pore_label", "group_pattern", "info_bar", "skip_bad")


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """Add the options on how a data set is read."""
    option = parser.add_argument
    option("--pore_label", type=int, metavar="K", help="mask value of pore; not needed for masks with two values")
    option("--group_pattern", metavar="REGEX", help="finds the micrograph in a file name: its first group")
    add_info_bar_option(parser)
    option("--skip_bad", action="store_true", help="continue without files that can't be used")


def add_info_bar_option(parser: argparse.ArgumentParser) -> None:
    """Add the option of all commands that read images."""
    parser.add_argument(
        "--info_bar",
        type=lambda text: int(text) if text.isdecimal() else text,
        metavar="auto|keep|PX",
        help="the microscope's strip of text below an image (default: auto, cut off)",
    )


def dataset_options(options: argparse.Namespace) -> dict[str, Any]:
    """Those of `add_dataset_options` that were given."""
    return {name: getattr(options, name) for name in _READING if hasattr(options, name)}
