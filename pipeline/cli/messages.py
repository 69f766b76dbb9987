"""What a command says on the terminal while it runs: the package's own messages, and no one else's."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

#: MONAI's loggers that repeat the command line
_TALKATIVE = ("monai.bundle.scripts", "monai.bundle.workflows")


class TerminalHandler(logging.StreamHandler):
    """Writes messages to stderr, above progress bars and not into them."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def format(self, record: logging.LogRecord) -> str:
        """The message; its level where that is a warning or an error."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return level + super().format(record)

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


def quieten_monai() -> None:
    """Silence the summary of the command line that MONAI prints; to be called when it is loaded."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
