"""The command line, `vlsenet`: thin doors to the bundle's workflows; what is heavy is loaded when it is used.

Words enter; a message, files and an exit status leave. A command runs the bundle's config in its own process, so that
the two cannot diverge, and passes on only what was given. A command is a `Command`, in a module of its own or, where it
runs a config, in `bundle_commands.py`, and a line of `COMMANDS` in `main.py`; its options are declared in
`pipeline.options`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from pipeline.errors import INTERRUPTED

_IMPORTING = "<frozen importlib._bootstrap>"
#: after which an interrupt that was lost comes again (s)
_SOON = 0.05


def end_in_order() -> None:
    """From now on, a `kill` stops a command as Ctrl-C does, and either of them ends an import with one line.

    Schedulers of clusters send SIGTERM some time before they kill: results are left as they can be resumed. An
    exception in the middle of an import is no way out: PyTorch's C++ code aborts, and other libraries take it for
    a missing package. Elsewhere it stays the exception that workflows and `run_command` know.
    """
    # otherwise ignored, as by nohup, or a program's
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
    sys.unraisablehook = _interrupt_again


def _interrupt(signum: int, frame: FrameType | None) -> None:
    caller = frame
    while caller is not None:
        if caller.f_code.co_filename == _IMPORTING:
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"interrupted\n")
            if (files := sys.modules.get("pipeline.files")) is not None:  # otherwise nothing was written
                files.remove_unfinished()
            os._exit(INTERRUPTED)
        caller = caller.f_back
    raise KeyboardInterrupt


def _interrupt_again(lost: sys.UnraisableHookArgs) -> None:
    """Python drops an exception that comes while an object is removed: the command would go on, as if nobody had
    pressed Ctrl-C."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    again = threading.Timer(_SOON, os.kill, (os.getpid(), signal.SIGINT))  # here it would be lost, too
    again.daemon = True
    again.start()


# here, before the modules of the commands are loaded, and only for the command itself
if Path(sys.argv[0]).stem == "vlsenet" or "pipeline.cli" in sys.orig_argv:
    end_in_order()
