"""The first step of every bundle command: is what the user asked for possible?"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType

import monai.bundle

from pipeline.errors import UserError
from pipeline.workflows.bundle_command import BundleCommand
from pipeline.workflows.options import check_options
from pipeline.workflows.output_folder import check_output_folder

COMMON_FILE = "common.yaml"


def begin(command: str) -> None:
    """Check overrides and options of a bundle command; first entry of ``initialize`` in each config.

    A config given without ``common.yaml`` is started again with it.

    Args:
        command: ``train``, ``evaluate`` or ``inference``.

    Raises:
        UserError: an override without effect, an option that is missing or wrong.
    """
    sys.excepthook = _print_user_error
    running = BundleCommand.running()
    if running.config_files and not any(Path(file).name == COMMON_FILE for file in running.config_files):
        _start_again_with_common_file(running)
    running.check_overrides()
    check_options(command, running.config)
    check_output_folder(
        command,
        str(running.config["output_dir"]),
        bool(running.config.get("resume")),
        bool(running.config.get("overwrite")),
    )
    # the SQLite store needs no reports to MLflow's makers, and offline machines wait for them
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def _start_again_with_common_file(running: BundleCommand) -> None:
    common = Path(running.config_files[0]).with_name(COMMON_FILE)
    if not common.is_file():
        raise UserError(f"{running.config_files[0]} needs {COMMON_FILE} beside it, which is missing")
    files = [str(common), *running.config_files]
    if not running.is_run:
        raise UserError(f"{running.config_files[0]} shares {COMMON_FILE} with the others: give config_file={files}")
    monai.bundle.run(config_file=files, **running.arguments)
    raise SystemExit(0)


def _print_user_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print a user's mistake as its message alone: MONAI wraps it in traces of a hundred lines."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted; what was finished is kept", file=sys.stderr)
        return
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            for line in str(cause).splitlines():
                print(f"error: {line}", file=sys.stderr)
            return
        cause = cause.__cause__ or cause.__context__
    sys.__excepthook__(kind, error, traceback)
