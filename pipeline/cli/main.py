"""The command `vlsenet`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pipeline
from pipeline.cli import (
    bundle,
    bundle_commands,
    compare,
    convert,
    experiment,
    import_labels,
    info,
    installed,
    label,
    mlflow_pages,
    prepare,
    prompts,
    rerun,
    send,
    suggest,
    synthetic,
)
from pipeline.cli.console import EXIT_STATUS, run_command, spelling
from pipeline.cli.parser import Command, CommandParser
from pipeline.errors import SUCCESS
from pipeline.wording import nearest

COMMANDS: dict[str, Command] = {
    "segment": bundle_commands.SEGMENT,
    "convert": convert.COMMAND,
    "info": info.COMMAND,
    "import-labels": import_labels.COMMAND,
    "label": label.COMMAND,
    "suggest": suggest.COMMAND,
    "prepare": prepare.COMMAND,
    "prompts": prompts.COMMAND,
    "train": bundle_commands.TRAIN,
    "evaluate": bundle_commands.EVALUATE,
    "compare": compare.COMMAND,
    "mlflow": mlflow_pages.COMMAND,
    "experiment": experiment.COMMAND,
    "rerun": rerun.COMMAND,
    "audit": bundle_commands.AUDIT,
    "export": bundle_commands.EXPORT,
    "bundle": bundle.COMMAND,
    "send": send.COMMAND,
    "synthetic": synthetic.COMMAND,
    "paths": installed.COMMAND,
}
_EXAMPLES = f"""\
examples:
  vlsenet segment scan.tif                          # with best.pt in the current folder, or the default model
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
    for name, command in COMMANDS.items():
        examples = f"{command.text}\n{EXIT_STATUS}"
        one = commands.add_parser(name, help=command.about, about=command.about, examples=examples)
        one.add_arguments_of(command)
        one.set_defaults(parser=one, command=name, run=command.run)
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
    spelling.set(options.parser.as_typed)
    return int(options.run(options))
