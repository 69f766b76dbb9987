"""`python -m monai.bundle run`: the same workflow as everywhere, with values as they were typed.

MONAI's `run` makes a plain `ConfigWorkflow` unless it is given `--workflow_name`. That class shows its config nothing
of the command line, accepts misspelt names, and wraps errors in a hundred lines. So `begin`, the first step of each
config, reads the command line again and runs it by `CheckedWorkflow`; then MONAI's own ends.
"""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import fire
import monai.bundle
from fire.decorators import SetParseFn, SetParseFns
from fire.parser import DefaultParseValue

from pipeline.errors import INTERRUPTED, MISTAKE, SUCCESS, mistake_behind, print_mistake
from pipeline.options import text_options
from pipeline.workflows.bundle_workflow import CheckedWorkflow, is_checked
from pipeline.workflows.ranks import Ranks

logger = logging.getLogger("vlsenet")

_SWITCH_WORDS = {"true": True, "false": False}


def begin(*command: str) -> None:
    """First step of each config: see that :class:`CheckedWorkflow` runs it.

    Args:
        command: given by configs of version 0.1.0, which that class refuses.

    Raises:
        SystemExit: MONAI's command line has been run, by that class.
    """
    if is_checked():
        return
    module = getattr(sys.modules["__main__"], "__spec__", None)
    if module is not None and module.name == "monai.bundle.__main__":
        raise SystemExit(run_command_line(sys.argv[1:]))
    logger.warning("options are not checked: give workflow_name='%s'", f"{__package__}.{CheckedWorkflow.__name__}")


def run_command_line(words: Sequence[str]) -> int:
    """Run a command line of MONAI's; returns the exit status.

    Args:
        words: `run --config_file FILE --name value ...`.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # a `kill` stops as Ctrl-C does
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        arguments = read_command_line(words)
        monai.bundle.run(**{**arguments, "workflow_name": CheckedWorkflow})
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        mistake = mistake_behind(error)
        if mistake is None:
            traceback.print_exc()
        elif Ranks.of_environment().is_first:  # otherwise each process would print it
            print_mistake(mistake)
        return MISTAKE
    return SUCCESS


def read_command_line(words: Sequence[str]) -> dict[str, Any]:
    """The arguments of a command line of MONAI's, which Python Fire reads, with text as it was typed.

    Fire alone reads each value as a Python literal: `--output_dir 2024_11_22` would lose its underscores, and
    `--mirror false` would be text.
    """

    def run(run_id: str | None = None, **arguments: Any) -> None:
        found.update(arguments, **({} if run_id is None else {"run_id": run_id}))

    found: dict[str, Any] = {}
    typed = SetParseFns(**dict.fromkeys(text_options(), _unquoted))(SetParseFn(_value)(run))
    fire.Fire({"run": typed, "run_workflow": typed}, command=list(words))
    return found


def _value(text: str) -> Any:
    return _SWITCH_WORDS.get(text.lower(), DefaultParseValue(text))


def _unquoted(text: str) -> str:
    """Text without the quotes that Fire needs around a number that is text."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
