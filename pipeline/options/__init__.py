"""Every option of every command, declared once, and what follows from it.

Comes in: the declarations in `configs` and `commands`. Goes out: checks (`check_options`), the flags of `vlsenet`
(`options_of`), the top of each config and the guides' tables (`generated`, by `make generated`), which values are text
(`text_options`), which decide on the result (`result_options`), and which entry of a config takes them
(`move_to_entries`). It imports nothing heavy: `--help` reads it. A new option is a new entry in `configs`, and its use
in the YAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.bundle_files import text_of_config
from pipeline.errors import UserError
from pipeline.options.commands import OF_COMMANDS
from pipeline.options.configs import BUNDLE, OF_CONFIGS
from pipeline.options.option import Option


def options_of(command: str) -> dict[str, Option]:
    """The options of a command by name, in the order in which they are listed.

    Args:
        command: a config (`train`, `scan` ...), or a `vlsenet` command that runs none.
    """
    return {option.name: option for option in (*OF_CONFIGS, *OF_COMMANDS) if command in option.commands}


def default(command: str, name: str) -> Any:
    """The value of an option that is not given."""
    return options_of(command)[name].initial


def text_options() -> list[str]:
    """Options whose values are text, also where they look like numbers."""
    return list(dict.fromkeys(option.name for option in OF_CONFIGS if option.kind.is_text))


def result_options(command: str) -> list[str]:
    """Options that change the numbers of a command: a resumed one may not have others."""
    return [option.name for option in options_of(command).values() if option.changes_result(command)]


def names_in(config: Mapping[str, Any]) -> list[str]:
    """The names that a user can set: a config's entries, and the options that they take as arguments."""
    return [*config, *dict.fromkeys(option.name for option in OF_CONFIGS if option.entry in config)]


def id_in(config: Mapping[str, Any], name: str) -> str:
    """Where a config has an option, or another of its entries, that a user names: `halo` is `prediction::halo`."""
    if name in config:
        return name
    return next((option.id for option in OF_CONFIGS if option.name == name and option.entry in config), name)


def move_to_entries(config: dict[str, Any]) -> None:
    """Move options that a user named alone, as in `--halo 64`, into the entries that take them.

    Args:
        config: changed in place. One that an earlier version resolved keeps its options at the top, and refers to them.
            What its `command` takes itself is not moved into an entry that takes another command's option of that name.
    """
    command = config.get("command")
    for option in OF_CONFIGS:
        if command in BUNDLE and command not in option.commands:
            continue
        taker = config.get(option.entry)
        if option.name in config and isinstance(taker, dict) and f"@{option.name}" not in str(taker.get(option.name)):
            taker[option.name] = config.pop(option.name)


def lacking_options(command: str, config: Mapping[str, Any]) -> list[str]:
    """Options that a config has to have and lacks: another version of this package resolved it."""
    lacking = []
    for option in options_of(command).values():
        if _value(option, config) is None:
            try:
                option.check(None)
            except UserError:
                lacking.append(option.name)
    return lacking


def _value(option: Option, config: Mapping[str, Any]) -> Any:
    """The value of an option in a config."""
    if not option.entry or option.name in config:
        return config.get(option.name)
    return config.get(option.entry, {}).get(option.name)


def without_effect(command: str, names: Iterable[str]) -> list[str]:
    """Those of some entries of the configs that are options of other commands only: each uses a part of common.yaml."""
    own, every = options_of(command), {option.name for option in OF_CONFIGS}
    return [name for name in names if (first := name.replace("#", "::").split("::")[0]) in every and first not in own]


def check_options(command: str, config: Mapping[str, Any]) -> None:
    """Check the options of a config, all of them, before anything is loaded or written.

    Args:
        command: name of the config, such as `train`.
        config: the config with the user's overrides in it.

    Raises:
        UserError: one line for each option that is missing or wrong.
    """
    problems = []
    for option in options_of(command).values():
        try:
            option.check(text_of_config(_value(option, config)))
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))
