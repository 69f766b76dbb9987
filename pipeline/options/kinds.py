"""What values an option takes, as text, numbers and names: how each kind reads text, and what it refuses."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import UserError
from pipeline.wording import named_numbers, nearest, without_passwords

if TYPE_CHECKING:
    from pipeline.options.option import Option


@dataclass(frozen=True)
class Kind:
    """Which values an option takes; this one: any."""

    #: stands for the value in the help; empty for a switch without one
    metavar = "VALUE"
    #: whether a value is text, and never a number or a list, whatever it looks like
    is_text = False
    #: makes a value of what a user typed; argparse names it in its errors
    read: ClassVar[Any] = str

    def problem(self, value: Any) -> str | None:
        """What to give in place of a value; None if the value is fine."""
        return None

    def check(self, name: str, value: Any) -> None:
        """Refuse a value.

        Args:
            name: of the option, for the message.
            value: as the config has it.

        Raises:
            UserError: another value; the message says what to give.
        """
        if (problem := self.problem(value)) is not None:
            raise UserError(f"--{name} {without_passwords(str(value))}: {problem}")


@dataclass(frozen=True)
class Text(Kind):
    """Any text."""

    metavar = "TEXT"
    is_text = True


@dataclass(frozen=True)
class PathText(Kind):
    """A path or an address, which is looked at when it is opened.

    Attributes:
        what: it is, in words.
        example: of one.
    """

    what: str = "a file"
    example: str = ""
    metavar = "FILE"
    is_text = True


@dataclass(frozen=True)
class Regex(Kind):
    """A regular expression."""

    metavar = "REGEX"
    is_text = True

    def problem(self, value: Any) -> str | None:
        try:
            re.compile(str(value))
        except re.error as error:
            return f"not a regular expression ({error})"
        return None


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number.

    Attributes:
        least: the smallest that is allowed.
        step: it must be a multiple of this.
        most: the largest that is allowed; None: any.
    """

    least: int = 0
    step: int = 1
    most: int | None = None
    metavar = "N"
    read = int

    def problem(self, value: Any) -> str | None:
        whole = isinstance(value, int) and not isinstance(value, bool) and not value % self.step
        if whole and self.least <= value <= (value if self.most is None else self.most):
            return None
        if self.most is not None:
            return f"give a whole number from {self.least} to {self.most}"
        return f"give a multiple of {self.step}" if self.step > 1 else f"give a whole number of at least {self.least}"


@dataclass(frozen=True)
class Number(Kind):
    """A number.

    Attributes:
        low, high: its limits.
        ends: which of them are allowed: `()`, `[]` or `[)`, as intervals are written.
    """

    low: float = 0
    high: float = math.inf
    ends: str = "()"
    metavar = "X"
    read = float

    def problem(self, value: Any) -> str | None:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self._holds(value):
            return None
        if self.ends == "()":
            return f"give a number between {self.low:g} and {self.high:g}"
        if self.high == math.inf:
            return f"give a number of at least {self.low:g}"
        return f"give a number from {self.low:g} to {'below ' if self.ends == '[)' else ''}{self.high:g}"

    def _holds(self, value: float) -> bool:
        above = value >= self.low if self.ends[0] == "[" else value > self.low
        return above and (value <= self.high if self.ends[1] == "]" else value < self.high)


@dataclass(frozen=True)
class NamedNumbers(Kind):
    """Numbers by name, as in `pore=0.4, silt grain=0.6`, or as a config's mapping.

    Attributes:
        number: what each has to be.
        alone: whether a single number without a name will do, which is then meant for all.
    """

    number: Number
    alone: bool = False
    metavar = "NAME=X,..."
    read = staticmethod(named_numbers)

    def problem(self, value: Any) -> str | None:
        try:
            found = named_numbers(value) if isinstance(value, str) else value
        except ValueError:
            found = None
        if isinstance(found, Mapping) and found:
            wrong = next((name for name, number in found.items() if self.number.problem(number) is not None), None)
            return None if wrong is None else f"{wrong}={found[wrong]}: {self.number.problem(None)}"
        if self.alone and isinstance(found, (int, float)):
            return self.number.problem(found)
        example = "give numbers by name, as in 'pore=0.4, silt grain=0.6'"
        return f"{self.number.problem(None)}, or {example}" if self.alone else example


def numbers(text: str) -> tuple[float, ...]:
    """Numbers between commas."""
    return tuple(float(part) for part in text.split(","))


@dataclass(frozen=True)
class Numbers(Kind):
    """One number, or several between commas.

    Attributes:
        most: how many.
    """

    most: int = 2
    metavar = "X,X"
    read = staticmethod(numbers)

    def problem(self, value: Any) -> str | None:
        return None if len(value) <= self.most else f"give {self.most} numbers at most"


@dataclass(frozen=True)
class Flag(Kind):
    """On or off."""

    metavar = ""

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, bool) else "must be true or false"

    def check(self, name: str, value: Any) -> None:
        if (problem := self.problem(value)) is not None:
            raise UserError(f"--{name} {value}: {problem}; --{name} alone turns it on")


@dataclass(frozen=True)
class FlagOr(Kind):
    """On, off, or one of further names.

    Attributes:
        names: of the further choices.
    """

    names: tuple[str, ...] = ()

    @property
    def metavar(self) -> str:  # type: ignore[override]
        return "|".join(("true", "false", *self.names))

    def problem(self, value: Any) -> str | None:
        if isinstance(value, bool) or value in self.names:
            return None
        return f"give true or false, or {', '.join(self.names)}"


def _meant(value: Any, names: Sequence[str]) -> str:
    meant = nearest(value, names)
    return f"did you mean {meant}? " if meant else ""


@dataclass(frozen=True)
class Choice(Kind):
    """One of several names."""

    names: tuple[str, ...] = ()
    metavar = "NAME"

    def problem(self, value: Any) -> str | None:
        return None if value in self.names else f"{_meant(value, self.names)}give one of {', '.join(self.names)}"


def split_names(text: str) -> list[str]:
    """The names in a text, which have commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


@dataclass(frozen=True)
class Names(Kind):
    """Some of several names, as a list or between commas.

    Attributes:
        names: those that exist.
        least: how many must be given.
    """

    names: tuple[str, ...] = ()
    least: int = 0
    metavar = "NAME,..."
    read = staticmethod(split_names)

    def problem(self, value: Any) -> str | None:
        given = split_names(value) if isinstance(value, str) else value
        if not isinstance(given, (list, tuple)):
            return f"give one or more of {', '.join(self.names)}, with a comma between them"
        wrong = next((name for name in given if name not in self.names), None)
        if wrong is None and len(given) >= self.least:
            return None
        return f"{_meant(wrong, self.names)}give one or more of {', '.join(self.names)}, with a comma between them"


@dataclass(frozen=True)
class Group(Kind):
    """Several options below one name, each set on its own, as in `--switches::context false`.

    Attributes:
        members: those options.
        example: a member and a value for it.
    """

    members: tuple[Option, ...] = ()
    example: str = ""

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise UserError(f"--{name} {value}: set each on its own, as in --{name}::{self.example}")
        kinds = {member.name: member.kind for member in self.members}
        for part, one in value.items():
            if part in kinds:
                kinds[part].check(f"{name}::{part}", one)
