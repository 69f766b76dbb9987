"""`vlsenet mlflow`: MLflow's pages on the store of some trainings, on this machine alone."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from pipeline.cli.compare import stores_and_runs
from pipeline.cli.parser import Command
from pipeline.errors import UserError
from pipeline.files import cannot_open
from pipeline.options import options_of
from pipeline.tracking.addresses import sqlite_file

#: what a database of SQLite begins with
_SQLITE = b"SQLite format 3\0"
_HOST = "127.0.0.1"
#: MLflow's pages begin with those on language models, whatever an experiment says of itself
_PAGE = "http://{host}:{port}/#/experiments?workflowType=machine_learning"
#: a line for each picture of a page would hide the address; without a limit, an open page would keep the server alive
_SERVER = "--log-level warning --timeout-graceful-shutdown 2"
_SETTINGS = {
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # nine processes for language models, which outlive the server
}
#: seconds between two looks whether the pages are there, or the server gone
_STEP = 0.1
#: seconds in which the server may end by itself
_PATIENCE = 4.0


def run(options: argparse.Namespace) -> int:
    """Serve the pages until Ctrl-C, a `kill` or the end of the terminal; returns the exit status of MLflow.

    Raises:
        UserError: there is no store, there are several, or the port is taken.
    """
    options_of("mlflow")["port"].check(options.port)
    places = options.store or ["."]
    found = [address for place in places for address in stores_and_runs(place)[0]]
    addresses = list(dict.fromkeys(found))
    if len(addresses) > 1:
        raise UserError(f"{', '.join(places)}: {len(addresses)} stores ({', '.join(addresses)}); give one of them")
    _check_store(addresses[0])
    _check_port(options.port)
    words = ["ui", "--host", _HOST, "--port", str(options.port), "--workers", "1", "--uvicorn-opts", _SERVER]
    command = [sys.executable, "-m", "mlflow", *words, "--backend-store-uri", addresses[0]]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # a terminal that is closed leaves no server behind
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    # in a group of its own, all of which is ended: MLflow leaves its processes behind
    server = subprocess.Popen(command, start_new_session=True, env={**_SETTINGS, **os.environ})
    try:
        print(f"{addresses[0]}: MLflow starts, which takes some seconds", file=sys.stderr, flush=True)
        while server.poll() is None and not _answers(options.port):
            time.sleep(_STEP)
        if server.poll() is None:
            print(f"{_PAGE.format(host=_HOST, port=options.port)} (Ctrl-C ends it)", file=sys.stderr, flush=True)
        return server.wait()
    finally:
        _end(server)


def _check_store(address: str) -> None:
    """Refuse what is no store: MLflow would make one of a mistyped name, and end others with a trace."""
    if address.startswith(("http://", "https://")):
        raise UserError(f"{address}: a server has its pages there; open this address in a browser")
    file = sqlite_file(address)
    if file is None:
        return
    try:
        with file.open("rb") as content:
            found = content.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise cannot_open(file, error) from error
    if not found:
        raise UserError(f"{file}: it is no MLflow store (SQLite); give mlflow.db, or the folder of a training")


def _check_port(port: int) -> None:
    """Refuse a port at which something else answers, or that this user may not have."""
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does, after one that has ended
        try:
            place.bind((_HOST, port))
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"--port {port}: {reason}; give another one, such as {port % 65535 + 1}") from error


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
        return True
    return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """End all processes of the server, by force where they take their time."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has ended
        try:
            os.killpg(server.pid, signal.SIGTERM)
            deadline = time.monotonic() + _PATIENCE
            while time.monotonic() < deadline:
                server.poll()
                os.killpg(server.pid, 0)
                time.sleep(_STEP)
        finally:  # also by a second Ctrl-C
            os.killpg(server.pid, signal.SIGKILL)


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
