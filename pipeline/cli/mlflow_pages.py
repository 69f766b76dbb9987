"""`vlsenet mlflow`: MLflow's pages on the store of some trainings, on this machine alone."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.cli.compare import stores_and_runs
from pipeline.cli.parser import Command
from pipeline.errors import UserError
from pipeline.files import cannot_open
from pipeline.options import options_of

#: what a database of SQLite begins with
_SQLITE = b"SQLite format 3\0"
#: MLflow's pages begin with those on language models, whatever an experiment says of itself
_PAGE = "http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning"


def run(options: argparse.Namespace) -> int:
    """Serve the pages until Ctrl-C or a `kill`; returns the exit status of MLflow.

    Raises:
        UserError: there is no store, or there are several.
    """
    options_of("mlflow")["port"].check(options.port)
    places = options.store or ["."]
    found = [address for place in places for address in stores_and_runs(place)[0]]
    addresses = list(dict.fromkeys(found))
    if len(addresses) > 1:
        raise UserError(f"{', '.join(places)}: {len(addresses)} stores ({', '.join(addresses)}); give one of them")
    _check_file(addresses[0])
    print(f"{addresses[0]}: {_PAGE.format(port=options.port)} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    words = ["ui", "--host", "127.0.0.1", "--port", str(options.port), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", *words, "--backend-store-uri", addresses[0]]
    # in a group of its own, all of which is ended: MLflow leaves its processes behind
    server = subprocess.Popen(command, start_new_session=True)
    try:
        return server.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)


def _check_file(address: str) -> None:
    """Refuse a file that is no store: MLflow would make one of a mistyped name, and end others with a trace."""
    scheme, _, name = address.partition(":///")
    if scheme != "sqlite":
        return
    try:
        with Path(name).open("rb") as file:
            found = file.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise cannot_open(Path(name), error) from error
    if not found:
        raise UserError(f"{name}: it is no MLflow store (SQLite); give mlflow.db, or the folder of a training")


COMMAND = Command(
    "open MLflow's pages on the trainings of a folder: http://127.0.0.1:5000",
    """\
STORE is the folder of a training, a folder of trainings, or an MLflow store; by default the current folder. Only this
machine can see the pages.

examples:
  vlsenet mlflow runs
  vlsenet mlflow runs/first --port 5001
""",
    run,
    options="mlflow",
    arguments=(("store", "STORE*", "folder of a training or of trainings, or sqlite:///FILE.db"),),
)
