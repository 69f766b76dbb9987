"""One option: all that is said of it anywhere comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import UserError
from pipeline.options.kinds import Flag, Group, Kind


@dataclass(frozen=True)
class Option:
    """An option of one or several commands.

    Attributes:
        name: in the configs, and after `--`.
        kind: which values it takes.
        commands: that take it: names of configs (`train`, `scan` ...) or of `vlsenet` commands that run none.
        help: what it does, in a line: for `--help`, the configs and the guides.
        default: its value if it is not given; text that begins with `$` is an expression of the configs.
        otherwise: what happens if it is not given, in words, where the default does not say it.
        unit: of the value.
        metavar: stands for the value in the help, in place of the kind's.
        more: a further sentence for the guides, in Markdown.
        result: whether it changes the numbers that a command gives, or those of which commands; a resumed command may
            not have another value.
        flag: whether `vlsenet` has a flag for it, or in which commands; all others are given by `--set`.
        shared: declared in common.yaml, and not in the file of each command.
        entry: the entry of the configs that takes it as an argument; empty where it stands at their top by itself.
        required: there is no default, and a command can't run without it.
        fallback: what `vlsenet` takes where it is required and not given, in words, by the command's config.
    """

    name: str
    kind: Kind
    commands: tuple[str, ...]
    help: str
    default: Any = None
    otherwise: str = ""
    unit: str = ""
    metavar: str = ""
    more: str = ""
    result: bool | tuple[str, ...] | None = None
    flag: bool | tuple[str, ...] = True
    shared: bool = False
    entry: str = ""
    required: bool = False
    fallback: Mapping[str, str] = field(default_factory=dict)

    @property
    def initial(self) -> Any:
        """The value in the config, of all members where it is a group."""
        if isinstance(self.kind, Group):
            return {member.name: member.default for member in self.kind.members}
        return self.default

    @property
    def placeholder(self) -> str:
        """What stands for its value in the help."""
        return self.metavar or self.kind.metavar

    def changes_result(self, command: str) -> bool:
        """Whether it changes the numbers that a command gives."""
        return command in self.result if isinstance(self.result, tuple) else bool(self.result)

    @property
    def id(self) -> str:
        """Where the configs have it, as MONAI writes it: `halo` of `prediction` is `prediction::halo`."""
        return f"{self.entry}::{self.name}" if self.entry else self.name

    def has_flag(self, command: str) -> bool:
        """Whether `vlsenet` has a flag for it in this command."""
        return self.flag if isinstance(self.flag, bool) else command in self.flag

    def check(self, value: Any) -> None:
        """Refuse a value.

        Raises:
            UserError: it is missing or wrong; the message says what to give.
        """
        if isinstance(value, str) and value.startswith(("$", "@")):  # left to the config's own expression
            return
        if self.required and value in (None, ""):
            what, example = getattr(self.kind, "what", "a value"), getattr(self.kind, "example", "VALUE")
            raise UserError(f"--{self.name} is missing: give {what}, as in --{self.name} {example}")
        if value is not None or self.default is not None or isinstance(self.kind, Flag):
            self.kind.check(self.name, value)

    def described(self, command: str, code: str = "") -> str:
        """Help, unit and default, in a line.

        Args:
            command: whose option it is.
            code: what encloses a default, such as a backtick.
        """
        default = self.fallback.get(command, self.otherwise)
        if not default and self.default is not None and self.default is not False and not self.required:
            default = f"{code}{shown(self.default)}{code}"
        needed = "needed" if self.required and not default else ""
        notes = [note for note in (self.unit, default and f"default: {default}", needed) if note]
        return self.help + (f" ({'; '.join(notes)})" if notes else "")


def shown(value: Any) -> str:
    """A value as a user types it."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(shown, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {shown(one)}" for name, one in value.items())
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
