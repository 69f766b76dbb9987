"""The command `vlsenet`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType

import pipeline
from pipeline.cli import (
    audit,
    compare,
    evaluate,
    experiment,
    export,
    info,
    prepare,
    prompts,
    rerun,
    segment,
    send,
    synthetic,
    train,
)
from pipeline.cli.console import EXIT_STATUS, run_command
from pipeline.cli.parser import CommandParser
from pipeline.errors import SUCCESS
from pipeline.wording import nearest

COMMANDS: dict[str, ModuleType] = {
    "segment": segment,
    "info": info,
    "prepare": prepare,
    "prompts": prompts,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "experiment": experiment,
    "rerun": rerun,
    "audit": audit,
    "export": export,
    "send": send,
    "synthetic": synthetic,
}
_EXAMPLES = f"""\
examples:
  vlsenet segment scan.tif                          # with best.pt in the current folder
  vlsenet info scan.tif                             # pixel size, conditions, info bar
  vlsenet prepare my_rock                           # checks images/ and labels/, writes split.csv
  vlsenet train my_rock --output_dir runs/first
  vlsenet evaluate my_rock --checkpoint runs/first/checkpoints/best.pt

vlsenet COMMAND --help shows the options and examples of a command.

{EXIT_STATUS}"""


def build_parser() -> CommandParser:
    """The whole command line."""
    parser = CommandParser(prog="vlsenet", about="Find and measure pores in SEM images of rock.", examples=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"vlsenet {pipeline.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for name, module in COMMANDS.items():
        one = commands.add_parser(name, help=module.ABOUT, about=module.ABOUT)
        module.add(one)
        one.set_defaults(parser=one, command=name)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    Args:
        arguments: in place of those typed.

    Raises:
        SystemExit: wrong usage, help, or an interrupt that a workflow has reported.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    return run_command(lambda: _run(words))


def _run(words: list[str]) -> int:
    parser = build_parser()
    if not words:
        parser.print_help()
        return SUCCESS
    if not words[0].startswith("-") and words[0] not in COMMANDS:
        meant = nearest(words[0], list(COMMANDS))
        parser.error(
            f"unknown command {words[0]!r}; "
            + (f"did you mean {meant}?" if meant else f"choose from {', '.join(COMMANDS)}")
        )
    options, unknown = parser.parse_known_args(words)
    command = getattr(options, "command", None)
    if command is None:
        parser.refuse(unknown)
    if unknown:
        options.parser.refuse(unknown)
    options.parser.check_needed(options)
    return int(options.run(options))
