"""A command line that refuses what it doesn't know, in one line that suggests the right name."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from pipeline.errors import WRONG_USAGE
from pipeline.wording import nearest

#: in argparse's words
_DECIMAL_COMMA = re.compile(r"invalid float value: '-?\d*,\d+'")


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors are short, and whose options can't be abbreviated.

    Options that were not given are not in the result, so that the defaults are in one place: the bundle's configs.

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

    def error(self, message: str) -> NoReturn:
        """End with `message`, and say where the help is."""
        if _DECIMAL_COMMA.search(message):
            message += ": write a decimal point"
        self.exit(WRONG_USAGE, f"error: {message}\nsee {self.prog} --help\n")

    def refuse(self, unknown: Sequence[str], elsewhere: Sequence[str] = ()) -> NoReturn:
        """End because of unknown arguments.

        Args:
            unknown: the arguments.
            elsewhere: names that `--set` takes.
        """
        option = next((word.partition("=")[0] for word in unknown if word.startswith("-")), None)
        if option is None:
            self.error(f"unexpected argument {unknown[0]!r}; put names with spaces in quotes")
        name = option.lstrip("-").replace("-", "_")
        options = [text for action in self._actions for text in action.option_strings]
        if name in elsewhere and f"--{name}" not in options:
            self.error(f"unknown option {option}; give --set {name}=VALUE")
        suggestion = nearest(f"--{name}", options)
        self.error(f"unknown option {option}" + (f"; did you mean {suggestion}?" if suggestion else ""))
