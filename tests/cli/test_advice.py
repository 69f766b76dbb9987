"""What messages and guides advise to type is taken by the command that is named, or that prints it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from pipeline.cli.main import build_parser
from pipeline.cli.parser import CommandParser
from pipeline.options.configs import OF_CONFIGS
from tests.paths import ROOT

COMMANDS: dict[str, CommandParser] = next(
    dict(action.choices) for action in build_parser()._actions if isinstance(action.choices, dict)
)
FLAGS = {
    command: {text.lstrip("-") for action in parser._actions for text in action.option_strings}
    for command, parser in COMMANDS.items()
}
#: of other programs, whose command lines messages give
FOREIGN = {"abbrev", "always", "dirty", "backend", "workers", "nproc_per_node", "config_file", "logging_file", "folder"}
FOREIGN |= {"net_id", "meta_file", "host", "nthreads", "memory", "no", "end_with_stdin", "filepath", "ckpt_file"}
FOREIGN |= {"uvicorn", "log", "timeout"}
_OPTION = re.compile(r"(?<![\w/-])--([a-z]\w*)")


def messages() -> Iterator[tuple[str, str]]:
    """Every text in the code that is no docstring, with its place; what is filled in is …."""
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        left_out = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr):
                left_out.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                left_out |= set(node.values)
        for node in ast.walk(tree):
            if node in left_out:
                continue
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                yield (
                    where,
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values),
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield where, node.value


def guides() -> Iterator[tuple[str, str]]:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bundle").rglob("*.md")]:
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_command_lines_have_no_option_that_the_command_refuses() -> None:
    refused = []
    for where, text in [*messages(), *guides()]:
        for command, words in re.findall(r"vlsenet ([a-z]+)\b([^\n`;|]*)", text.replace("\\\n", " ")):
            if command in COMMANDS:
                unknown = set(_OPTION.findall(words)) - FLAGS[command]
                # what a nested name begins with is any part of a config
                not_set = set(re.findall(r"--set (\w+)=", words)) - set(COMMANDS[command].settable)
                refused += [f"{where}: vlsenet {command} {name}" for name in unknown | not_set]
    assert not refused


def test_messages_name_options_that_there_are() -> None:
    known = {"version"}.union(FOREIGN, *FLAGS.values(), (option.name for option in OF_CONFIGS))
    assert not [
        f"{where}: --{name}" for where, text in messages() for name in _OPTION.findall(text) if name not in known
    ]


@pytest.mark.parametrize(
    ("command", "message", "typed"),
    [
        ("segment", "--halo 100: give a multiple of 16", "--set halo=100: give a multiple of 16"),
        ("segment", "x: give --rescale false, or a", "x: give --set rescale=false, or a"),
        (
            "segment",
            "give a smaller --chunk_size or --batch",
            "give a smaller --set chunk_size=VALUE or --set batch=VALUE",
        ),
        ("segment", "or try --precision float32", "or try --set precision=float32"),
        ("segment", "odd\n--halo 1 : 2: no", "odd\n--set halo=1 : 2: no"),
        ("segment", "--overwrite replaces it; --haloes, a--halo", "--overwrite replaces it; --haloes, a--halo"),
        ("segment", "--set halo=64, --halo=64", "--set halo=64, --set halo=64"),
        ("train", "--switches::context no: true or false", "--set switches::context=no: true or false"),
        ("train", "--split_csv my: own.csv: no such file", "--set split_csv=my: own.csv: no such file"),
        ("train", "--dataset_dir rok: no such folder", "DATASET_DIR rok: no such folder"),
        ("train", "give --early_stop_patience.", "give --set early_stop_patience=VALUE."),
        ("experiment", "--dataset_dir rok: no such folder", "--dataset_dir rok: no such folder"),
        ("experiment", "--seed: is set already", "--set seed: is set already"),
        ("info", "--halo 3: odd", "--halo 3: odd"),
    ],
)
def test_a_message_names_options_as_the_command_takes_them(command: str, message: str, typed: str) -> None:
    assert COMMANDS[command].as_typed(message) == typed
