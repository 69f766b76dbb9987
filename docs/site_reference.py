"""Pages of the reference that are written from declarations: the commands from their parsers, and all options."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.cli.main import COMMANDS, build_parser
from pipeline.options import BUNDLE, Option, options_of
from pipeline.options.kinds import Choice, Flag, Group
from pipeline.options.option import shown

_COMMANDS = """\
# Commands

Every command with all that it takes, written from the parsers that read the command line. `vlsenet COMMAND --help`
prints the same. What a command has no flag for is set by `--set name=value`; the names are on the page of
[all options](options.md).
"""
_OPTIONS = """\
# Options of the configs

Each command that runs a config of the bundle, with all its options, written from their declarations. `vlsenet` has a
flag for most (`--max_epochs 20`); those marked *set* are given by `--set halo=64`. `python -m monai.bundle run` takes
all of them as `--name value`. The [commands](commands.md) that run no config stand on their own page.
"""
#: the command that runs a config, where its name is another
_RUN_BY = {"scan": "segment"}
_ABOUT = {"inference": "no command of `vlsenet`: masks of many images, by `python -m monai.bundle run`"}


def write_pages(folder: Path) -> None:
    """Write `commands.md` and `options.md`, where they are not there as they should be."""
    for name, text in (("commands", commands_page()), ("options", options_page())):
        page = folder / f"{name}.md"
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def commands_page() -> str:
    """Markdown: a section for each command."""
    return "\n".join([_COMMANDS, *(_section(name, parser) for name, parser in _parsers().items())])


def _parsers() -> dict[str, argparse.ArgumentParser]:
    parsers = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(parsers.choices)


def _section(name: str, parser: argparse.ArgumentParser) -> str:
    actions = [action for action in parser._actions if action.help and action.dest != "help"]
    in_front = [action for action in actions if not action.option_strings]
    options = [action for action in actions if action.option_strings]
    table = _table("argument or option", "what it does", ((_typed(one), _help(one)) for one in in_front + options))
    usage = " ".join(["vlsenet", name, *(_value(one) for one in in_front), *(["[options]"] if options else [])])
    about, text = _sentence(COMMANDS[name].about), COMMANDS[name].text.strip()
    return f"## vlsenet {name}\n\n{about}\n\n```text\n{usage}\n```\n\n{table}\n```text\n{text}\n```\n"


def _typed(action: argparse.Action) -> str:
    flag = action.option_strings[-1] + " " if action.option_strings else ""
    return f"`{flag}{_value(action)}`".replace(" `", "`")


def _value(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(map(str, action.choices))
    value = action.metavar if action.nargs != 0 else ""
    return f"{value} ..." if action.nargs in ("+", "*") else str(value or "")


def _help(action: argparse.Action) -> str:
    return str(action.help).replace("%%", "%")


def options_page() -> str:
    """Markdown: a table of the options of each config."""
    return "\n".join([_OPTIONS, *map(_config, BUNDLE)])


def _config(config: str) -> str:
    command = _RUN_BY.get(config, config)
    by = _ABOUT.get(config, f"`vlsenet {command}`")
    rows = [row for option in options_of(config).values() for row in _rows(option, config)]
    return f"## {config}.yaml\n\n{by}\n\n{_table('option', 'what it does', rows)}"


def _rows(option: Option, config: str) -> Iterator[tuple[str, str]]:
    if isinstance(option.kind, Group):
        yield f"`{option.name}::...`", f"{option.described(config, '`')}; each is one of:"
        for member in option.kind.members:
            yield f"`{option.name}::{member.name}`", f"{member.help or 'as above'} (default: `{shown(member.default)}`)"
        return
    by_set = "" if option.has_flag(config) or config == "inference" else " *set*"
    yield f"`{option.name}{_kind(option)}`{by_set}", option.described(config, "`")


def _kind(option: Option) -> str:
    if isinstance(option.kind, Flag):
        return " true|false"
    return f" {'|'.join(option.kind.names) if isinstance(option.kind, Choice) else option.placeholder}"


def _table(left: str, right: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"| {left} | {right} |", "|---|---|"]
    lines += [f"| {one} | {other} |" for one, other in ((_cell(one), _cell(other)) for one, other in rows)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."
