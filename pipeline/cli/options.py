"""Options on the command line that several commands share: those of the bundle's configs, and of data sets."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.cli.parser import CommandParser
from pipeline.errors import UserError
from pipeline.wording import nearest

#: what MONAI's configs read as an expression, a reference or a macro where a text begins with it
_MEANT_FOR_MONAI = ("$", "@", "%")
_POWER_OF_TEN = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def add_common_options(parser: CommandParser, config: str, example: str, device: bool = True) -> None:
    """Add the options that every command of a config has.

    Args:
        parser: of the command.
        config: name of the config, such as `scan`.
        example: of `--set`.
        device: whether the command can run on a GPU.
    """
    if device:
        parser.add_argument(
            "--device", metavar="NAME", help="cpu, cuda:0 ... (default: the first GPU, or else the CPU)"
        )
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in the output folder")
    parser.add_argument(
        "--set",
        action="append",
        metavar="NAME=VALUE",
        default=[],
        help=f"set any option of bundle/configs/{config}.yaml, such as {example}; may be given several times",
    )


def names(text: str) -> list[str]:
    """The type of an option that takes several names, separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def option_names(config: str) -> list[str]:
    """The options of a config and of the shared one."""
    import yaml

    from pipeline.configs import config_files

    return [name for file in config_files(config) for name in yaml.safe_load(Path(file).read_text(encoding="utf-8"))]


def overrides(options: argparse.Namespace, config: str, paths: Sequence[str] = ()) -> dict[str, Any]:
    """The config entries that a command line sets.

    Args:
        options: as parsed: those given, and `set`.
        config: name of the config, such as `scan`.
        paths: names of the options that are paths.

    Raises:
        UserError: a wrong `--set`, or text that MONAI's configs can't hold.
    """
    given = {name: value for name, value in vars(options).items() if name not in ("set", "run", "parser")}
    for name in paths:
        if str(given.get(name, "")).startswith(_MEANT_FOR_MONAI):
            given[name] = f"./{given[name]}"
    for name, value in given.items():
        if isinstance(value, str) and ("#" in value or value.startswith(_MEANT_FOR_MONAI)):
            raise UserError(
                f"--{name} {value}: MONAI's configs can't hold text with # in it, or with $, @ or % at the start; "
                "choose another value"
            )
    return {**given, **parse_assignments(options.set, config)}


def parse_assignments(assignments: Sequence[str], config: str) -> Mapping[str, Any]:
    """The values given by `--set`.

    Args:
        assignments: `name=value`, the value in YAML.
        config: name of the config, such as `scan`.

    Raises:
        UserError: a name that is not in the config, or a value that is not YAML.
    """
    import yaml

    values: dict[str, Any] = {}
    names = option_names(config) if assignments else []
    for assignment in assignments:
        name, separator, text = assignment.partition("=")
        if not separator:
            raise UserError(f"--set {assignment}: give a name and a value, as in --set {assignment}=VALUE")
        first, part, rest = name.partition("::")
        if first not in names:
            nearest_first = nearest(first, names)
            meant = nearest_first and nearest_first + part + rest
            hint = f"did you mean {meant}?" if meant else f"see the options at the top of {config}.yaml"
            raise UserError(f"--set {assignment}: {config}.yaml has no option {name}; {hint}")
        try:
            # YAML 1.1 reads 1e-3 as text
            values[name] = float(text) if _POWER_OF_TEN.fullmatch(text) else yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"--set {assignment}: {text!r} is not valid YAML; put text in quotes") from error
    return values


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
