"""Messages for someone who writes Python: they name arguments, where those of the commands name options."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from pipeline.errors import FileProblem, UserError

_OPTION = re.compile(r"--([a-z][a-z_]+)(?:[ =](true|false|[A-Z][A-Z_]*\b|[-+]?[\d.]*\d\b|'[^']*'))?")
#: options that are given without a value
_SWITCHES = ("overwrite", "stack", "invert", "sentences", "mirror")
_WORDS = {"true": "True", "false": "False"}

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def in_python(message: str) -> str:
    """A message with `--halo 64` as `halo=64`, and `--stack` as `stack=True`."""

    def argument(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        if value is None:
            return f"{name}=True" if name in _SWITCHES else name
        return f"{name}={_WORDS.get(value, value)}"

    return _OPTION.sub(argument, message)


def says_in_python(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """A function whose `UserError`s name arguments."""

    @wraps(function)
    def wrapped(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        try:
            return function(*arguments, **options)
        except FileProblem as error:
            raise FileProblem(error.name, in_python(error.what), in_python(error.remedy)) from error
        except UserError as error:
            raise UserError(in_python(str(error))) from error

    return wrapped
