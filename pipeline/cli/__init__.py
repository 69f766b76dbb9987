"""The command line, `vlsenet`: thin doors to the bundle's workflows; what is heavy is loaded when it is used.

Words enter; a message, files and an exit status leave. A command runs the bundle's config in its own process, so that
the two cannot diverge, and passes on only what was given. A command is a module here and a line of `COMMANDS` in
`main.py`; its options are declared in `pipeline.options`.
"""

import sys
from pathlib import Path

from pipeline.cli.interrupts import end_at_once_while_loading

# here, before the modules of the commands are loaded, and only for the command itself
if Path(sys.argv[0]).stem == "vlsenet" or "pipeline.cli" in sys.orig_argv:
    end_at_once_while_loading()
