"""What a command is, and a command line that refuses what it doesn't know, in one line that suggests the right name."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from pipeline.errors import WRONG_USAGE
from pipeline.options import BUNDLE, Option, options_of
from pipeline.options.commands import OF_COMMANDS
from pipeline.options.domain_kinds import OneOrMore
from pipeline.options.kinds import Choice, Flag
from pipeline.wording import nearest

#: in argparse's words
_DECIMAL_COMMA = re.compile(r"invalid float value: '-?\d*,\d+'")
_SET = "--set"
#: an option in a message, with its part; behind it, the value that the line is about, or the one that it advises
_NAMED = r"(?<![\w-])--({})((?:::\w+)*)(?![\w-])"
_VALUE = r"(?:[ =](true|false|null|float32|[+-]?\d[\w.+-]*(?<!\.))(?=[\s,;:.)]|$))?"
_GIVEN = r"^{} (.+?)(?=: )"


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        about: what it does, in a line.
        text: what it writes, and examples; the exit statuses are shown after it.
        run: takes the command line as parsed, returns the exit status, and raises `UserError` for a user's mistake.
        options: whose declared options it takes (`pipeline.options`): those of a config, or its own.
        in_front: the option that is given without its name, in front.
        arguments: further arguments without a name, as `(name, placeholder, help)`; one that may be given several
            times has a `+` after its placeholder, and a `*` if it may be missing, too.
        set_of: the config whose entries `--set` takes; by default that of `options`, if it is a config.
        set_example: of `--set`.
    """

    about: str
    text: str
    run: Callable[[argparse.Namespace], int]
    options: str
    in_front: str = ""
    arguments: tuple[tuple[str, str, str], ...] = ()
    set_of: str = ""
    set_example: str = ""


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
        self.positional: dict[str, str] = {}

    def add_arguments_of(self, command: Command) -> None:
        """Add what a command takes: its arguments, its options as they are declared, and `--set` for the others of its
        config."""
        for name, placeholder, help in command.arguments:
            several: dict[str, Any] = {"nargs": placeholder[-1]} if placeholder[-1] in "+*" else {}
            if placeholder.endswith("*"):
                several["default"] = []
            self.add_argument(name, metavar=placeholder.rstrip("+*"), help=help, **several)
        config = command.set_of or (command.options if command.options in BUNDLE else "")
        for name, option in options_of(command.options).items():
            if name == command.in_front:
                metavar = name.upper() if option.placeholder == "DIR" else option.placeholder
                self.add_argument(name, metavar=metavar, help=option.help, nargs=_count(option))
                self.positional[name] = metavar
            elif option.has_flag(command.options):
                self._add_option(option, command.options)
        if config:
            self.settable = [*options_of(config)]
            self.add_argument(
                _SET,
                action="append",
                metavar="NAME=VALUE",
                default=[],
                help=f"set any option of bundle/configs/{config}.yaml, such as {command.set_example}; may be "
                "given several times",
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
            settings |= {"type": option.kind.read, "metavar": option.placeholder, "nargs": _count(option)}
        self.add_argument(f"--{option.name}", **settings)

    def check_needed(self, given: argparse.Namespace) -> None:
        """End if an option that is needed was not given."""
        for option in self.needed:
            if not hasattr(given, option.name):
                self.error(f"--{option.name} is missing: give {option.help}")

    def as_typed(self, message: str) -> str:
        """A message of the workflows, which name options as the configs do, with options as this command takes them.

        Returns:
            The message, with `--set NAME=VALUE` for what has no flag here, and without `--` what stands in front.
        """
        flags = {text.lstrip("-") for action in self._actions for text in action.option_strings}
        for name, metavar in self.positional.items():
            message = re.sub(_NAMED.format(name), metavar, message)
        if not (names := [re.escape(name) for name in self.settable if name not in {*flags, *self.positional}]):
            return message
        named = _NAMED.format("|".join(names))
        for pattern, flag in ((_GIVEN.format(named), re.MULTILINE), (named + _VALUE, 0)):
            message = re.sub(pattern, _assignment, message, flags=flag)
        return message

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


def _assignment(option: re.Match[str]) -> str:
    """`--set NAME=VALUE` for an option in a message, with what there is of its value."""
    name, part, value = option.groups()
    if value is None and option.string[option.end() :].startswith(": "):  # what the line is about
        return f"{_SET} {name}{part}"
    return f"{_SET} {name}{part}={value or 'VALUE'}"


def _count(option: Option) -> str | None:
    """How many values an option takes, in argparse's words."""
    return "+" if isinstance(option.kind, OneOrMore) else None
