"""A command line that refuses what it doesn't know, in one line that suggests the right name."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from pipeline.errors import WRONG_USAGE
from pipeline.options import BUNDLE, Option, options_of
from pipeline.options.commands import OF_COMMANDS
from pipeline.options.kinds import Choice, Flag, Folders
from pipeline.wording import nearest

#: in argparse's words
_DECIMAL_COMMA = re.compile(r"invalid float value: '-?\d*,\d+'")
_SET = "--set"


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are short, and whose options can't be abbreviated.

    Options of the configs that were not given are not in the result: their defaults stand in the configs.

    Args:
        about: first line of the help.
        examples: shown at its end.
        settings: as for `argparse.ArgumentParser`.
    """

    def __init__(self, *, about: str | None = None, examples: str | None = None, **settings: Any) -> None:
        super().__init__(
            description=about,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            **settings,
        )
        self.needed: list[Option] = []
        self.settable: list[str] = []

    def add_options(self, command: str, positional: str = "", set_of: str = "", example: str = "") -> None:
        """Add the options of a command as they are declared, and `--set` for the others of its config.

        Args:
            command: name of its config, or its own where it runs none.
            positional: the option that is given without its name, in front.
            set_of: the config whose entries `--set` takes; by default the command's own, if it runs one.
            example: of `--set`.
        """
        config = set_of or (command if command in BUNDLE else "")
        for name, option in options_of(command).items():
            if name == positional:
                metavar = name.upper() if option.placeholder == "DIR" else option.placeholder
                several = "+" if isinstance(option.kind, Folders) else None
                self.add_argument(name, metavar=metavar, help=option.help, nargs=several)
            elif option.has_flag(command):
                self._add_option(option, command)
        if config:
            self.settable = [*options_of(config)]
            self.add_argument(
                _SET,
                action="append",
                metavar="NAME=VALUE",
                default=[],
                help=f"set any option of bundle/configs/{config}.yaml, such as {example}; may be given several times",
            )

    def _add_option(self, option: Option, command: str) -> None:
        settings: dict[str, Any] = {"help": option.described(command).replace("%", "%%")}
        if option.required and command not in option.fallback:
            self.needed.append(option)
        elif option in OF_COMMANDS:
            settings["default"] = option.default
        if isinstance(option.kind, Flag):
            settings["action"] = "store_true"
        elif isinstance(option.kind, Choice):
            settings["choices"] = option.kind.names
        else:
            settings |= {"type": option.kind.read, "metavar": option.placeholder}
        self.add_argument(f"--{option.name}", **settings)

    def check_needed(self, given: argparse.Namespace) -> None:
        """End if an option that is needed was not given."""
        for option in self.needed:
            if not hasattr(given, option.name):
                self.error(f"--{option.name} is missing: give {option.help}")

    def error(self, message: str) -> NoReturn:
        """End with `message`, and say where the help is."""
        if _DECIMAL_COMMA.search(message):
            message += ": write a decimal point"
        self.exit(WRONG_USAGE, f"error: {message}\nsee {self.prog} --help\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """End because of unknown arguments."""
        word = next((word.partition("=")[0] for word in unknown if word.startswith("-")), None)
        if word is None:
            self.error(f"unexpected argument {unknown[0]!r}; put names with spaces in quotes")
        name = word.lstrip("-").replace("-", "_")
        options = [text for action in self._actions for text in action.option_strings]
        if name in self.settable and f"--{name}" not in options:
            self.error(f"unknown option {word}; give {_SET} {name}=VALUE")
        suggestion = nearest(f"--{name}", options)
        self.error(f"unknown option {word}" + (f"; did you mean {suggestion}?" if suggestion else ""))
