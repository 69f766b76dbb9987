"""Values as the user typed them: MONAI's command line (fire) first reads each as a Python literal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import UserError
from pipeline.options import text_options

_SWITCH_WORDS = {"true": True, "false": False}


def as_typed(arguments: Mapping[str, Any], command_line: Sequence[str]) -> dict[str, Any]:
    """The arguments with text as it was typed, and with ``true`` and ``false`` as switches.

    Args:
        arguments: as fire read them.
        command_line: ``sys.argv``.

    Raises:
        UserError: text with ``#``, which MONAI treats as a path in its configs and replaces, wherever it occurs.
    """
    typed, text = _typed(command_line), text_options()
    corrected = {}
    for name, value in arguments.items():
        if name in text and name in typed:
            value = typed[name]
            if "#" in value:
                raise UserError(
                    f"--{name} {value}: MONAI's configs can't hold the character #; choose a value without it"
                )
        elif isinstance(value, str):
            value = _SWITCH_WORDS.get(value.lower(), value)
        corrected[name] = value
    return corrected


def _typed(command_line: Sequence[str]) -> dict[str, str]:
    typed = {}
    for position, token in enumerate(command_line):
        if not token.startswith("--"):
            continue
        name, separator, value = token[2:].partition("=")
        if not separator:
            following = command_line[position + 1 : position + 2]
            if not following or following[0].startswith("--"):
                continue
            value = following[0]
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]  # quoted for fire
        typed[name] = value
    return typed
