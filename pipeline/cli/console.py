"""How a command runs for a person at a terminal: its messages, its exit status, and a user's mistake in one line."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pipeline.errors import INTERRUPTED, MISTAKE, SUCCESS, UserError, mistake_behind, print_mistake

#: MONAI's loggers that repeat the command line
_TALKATIVE = ("monai.bundle.scripts", "monai.bundle.workflows")


#: from a message that names options as the configs do to one that names them as the running command takes them
spelling: ContextVar[Callable[[str], str]] = ContextVar("spelling", default=str)


class TerminalHandler(logging.StreamHandler):
    """Writes messages to stderr, above progress bars and not into them, with options as the command takes them."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._spelled = spelling.get()  # here, as other threads have other contexts

    def format(self, record: logging.LogRecord) -> str:
        """The message; its level where that is a warning or an error."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return level + self._spelled(super().format(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Write a message."""
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=self.stream)
        except Exception:  # as every handler of the standard library: a message never ends the program
            self.handleError(record)


@contextmanager
def own_messages() -> Iterator[None]:
    """While this lasts, the package's log goes to the terminal, and what libraries say of themselves does not."""
    logger, root = logging.getLogger("vlsenet"), logging.getLogger()
    before = logger.level, logger.propagate, logger.disabled
    handler = TerminalHandler()
    logger.setLevel(logging.INFO)
    logger.propagate = logger.disabled = False
    logger.addHandler(handler)
    root.addHandler(handler)  # at its level, WARNING
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(handler)
        root.removeHandler(handler)
        logger.level, logger.propagate, logger.disabled = before


@contextmanager
def loading() -> Iterator[None]:
    """While this lasts, PyTorch and MONAI are loaded, of which garbage collection then knows nothing.

    They make a million objects that stay. To look through all of them time and again would take a fifth of the time to
    load, as much later on, and two seconds at the end of the process.
    """
    if "monai" in sys.modules:
        yield
        return
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # `pipeline.memory.HUGE_PAGES`, which loads PyTorch
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(_end_quietly)


def _end_quietly() -> None:
    """Close stderr for what comes after all of Python: a library of Triton's takes what is left there for leaks."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def quieten_monai() -> None:
    """Silence the summary of the command line that MONAI prints; to be called when it is loaded."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)


#: for the help of every command
EXIT_STATUS = """\
exit status: 0 success; 1 a mistake in the input, reported in one line, or a check that found something; 2 wrong usage;
130 interrupted, by Ctrl-C or a kill (SIGTERM): the same command goes on, a training with --resume
"""


def run_command(command: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Run a command to its end.

    Args:
        command: returns the exit status.
        interrupted: what is printed after Ctrl-C.

    Returns:
        The exit status. Errors that are not the user's mistake are raised.
    """
    before = spelling.set(str)
    try:
        return command()
    except KeyboardInterrupt:
        _end_bars()
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUCCESS
    except Exception as error:
        mistake = mistake_behind(error)
        if mistake is None:
            raise
        _end_bars()
        print_mistake(UserError(spelling.get()(str(mistake))))
        return MISTAKE
    finally:
        spelling.reset(before)


def _end_bars() -> None:
    if "tqdm" in sys.modules:  # otherwise there are none, and a message need not wait for it
        from pipeline.progress_bars import close_bars

        close_bars()
