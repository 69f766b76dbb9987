"""`vlsenet send`: what an MLflow server did not take while it was away, from the folder that kept it."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli.parser import Command
from pipeline.errors import MISTAKE, SUCCESS, UserError


def run(options: argparse.Namespace) -> int:
    """Send what is waiting; returns the exit status.

    Raises:
        UserError: the folder is missing, its file can't be read, or the store can't be opened.
    """
    folder = Path(options.folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a command's results")
    from pipeline.tracking.outbox import send_unsent

    sent, left = send_unsent(folder, getattr(options, "tracking_uri", None))
    print(f"{sent} of {sent + left} messages were sent" if sent + left else f"nothing waits to be sent in {folder}")
    return MISTAKE if left else SUCCESS


COMMAND = Command(
    "send what an MLflow server did not take while it was away",
    """\
What a server did not accept waits in mlflow_unsent.jsonl, in the folder of the results: of a training, an evaluation,
an audit, scans or an experiment. Folders in FOLDER are looked through too. Status 1 says that some are still waiting.

examples:
  vlsenet send runs/first --tracking_uri http://localhost:5000
""",
    run,
    options="send",
    arguments=(("folder", "FOLDER", "folder of results"),),
)
