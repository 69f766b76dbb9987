"""Exit statuses of commands, processes of a training, and runs of an experiment."""

from __future__ import annotations

FINE, MISTAKE, WRONG_USAGE = 0, 1, 2
#: by Ctrl-C, as shells have it: 128 + SIGINT
INTERRUPTED = 130
