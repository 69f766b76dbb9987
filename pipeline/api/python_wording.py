"""Messages for someone who writes Python: they name arguments, where those of the commands name options.

The code below is that of the commands, so its errors and its log are turned here, on their way out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from pipeline.errors import INTERRUPTED, FileProblem, mistake_behind
from pipeline.wording import some_of

logger = logging.getLogger("vlsenet")

_OPTION = re.compile(r"--([a-z][a-z_]+)(?:[ =](true|false|[A-Z][A-Z_]*\b|[-+]?[\d.]*\d\b|'[^']*'|scale-bar))?")
#: options that are given without a value
_SWITCHES = ("overwrite", "stack", "invert", "sentences", "mirror")
_VALUES = {"true": "True", "false": "False", "scale-bar": "'scale-bar'"}
_PHRASES = {
    " (a training with --resume)": "",
    "true or false": "True or False",
    "run the same command again": "make the same call again",
    "give the same command again": "make the same call again",
}
#: a line for a shell keeps its options
_COMMAND = re.compile(r"vlsenet [a-z]+ \S.*")

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_CALLED: ContextVar[bool] = ContextVar("called from Python", default=False)
_REPEATED: ContextVar[_Repeated | None] = ContextVar("repeated warnings", default=None)


def in_python(message: str) -> str:
    """A message with `--halo 64` as `halo=64`, and `--stack` as `stack=True`; what is for a shell stays."""

    def argument(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        if value is None:
            return f"{name}=True" if name in _SWITCHES else name
        return f"{name}={_VALUES.get(value, value)}"

    shell = _COMMAND.search(message)
    end = len(message) if shell is None else shell.start()
    text = message[:end]
    for of_command, of_call in _PHRASES.items():
        text = text.replace(of_command, of_call)
    return _OPTION.sub(argument, text) + message[end:]


class _InPython(logging.Filter):
    """Turns what is logged while a function of the package is called from Python; all else passes as it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not _CALLED.get():
            return True
        record.msg, record.args = in_python(record.getMessage()), ()
        repeated = _REPEATED.get()
        return repeated is None or record.levelno < logging.WARNING or repeated.is_new(record.msg)


logger.addFilter(_InPython())


class _Repeated:
    """Warnings on several images, of which each is said of the first."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._images: dict[str, list[str]] = {}

    def is_new(self, message: str) -> bool:
        """Note a warning; whether it was said of no image before."""
        name = next((name for name in self._names if message.startswith(f"{name}: ")), "")
        images = self._images.setdefault(message.removeprefix(f"{name}: "), [])
        images.append(name)
        return len(images) == 1

    def say_the_rest(self) -> None:
        """Log of which further images the warnings were, a line for each warning."""
        for message, (_, *others) in self._images.items():
            if named := list(filter(None, others)):
                logger.warning("%d more (%s): %s", len(named), some_of(named), message)


@contextmanager
def said_once(names: Collection[str]) -> Iterator[None]:
    """While this lasts, a warning that begins with the name of an image is said of the first, and then of all others.

    Args:
        names: of the images.
    """
    repeated = _Repeated(names)
    before = _REPEATED.set(repeated)
    try:
        yield
    finally:
        _REPEATED.reset(before)
        repeated.say_the_rest()


def says_in_python(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """A function whose `UserError`s and log name arguments, and which Ctrl-C ends as any other.

    A full disk is a `UserError`, too, as it is in the commands.
    """

    @wraps(function)
    def wrapped(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        before = _CALLED.set(True)
        try:
            return function(*arguments, **options)
        except Exception as error:
            mistake = mistake_behind(error)
            if mistake is None:
                raise
            if isinstance(mistake, FileProblem):
                raise FileProblem(mistake.name, in_python(mistake.what), in_python(mistake.remedy)) from error
            mistake.args = (in_python(str(mistake)),)
            if mistake is error:
                raise
            raise mistake from error
        except SystemExit as error:  # a command ends so, and would end the program that calls
            if error.code != INTERRUPTED:
                raise
            raise KeyboardInterrupt from None
        finally:
            _CALLED.reset(before)

    return wrapped
