"""How a command ends: exit status, and a user's mistake in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from pipeline.errors import mistake_behind
from pipeline.exit_status import FINE, INTERRUPTED, MISTAKE

#: for the help of every command
EXIT_STATUS = """\
exit status: 0 success; 1 a mistake in the input, reported in one line, or a check that found something; 2 wrong usage;
130 interrupted
"""


def run_command(command: Callable[[], int], interrupted: str = "interrupted") -> int:
    """Run a command to its end.

    Args:
        command: returns the exit status.
        interrupted: what is printed after Ctrl-C.

    Returns:
        The exit status. Errors that are not the user's mistake are raised.
    """
    try:
        return command()
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except Exception as error:
        mistake = mistake_behind(error)
        if mistake is None:
            raise
        for line in str(mistake).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return MISTAKE
