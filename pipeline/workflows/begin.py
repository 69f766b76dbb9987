"""The first step of every bundle command: is what the user asked for possible?"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import TracebackType

import monai.bundle

from pipeline.errors import UserError, mistake_behind
from pipeline.mlflow_environment import set_mlflow_defaults
from pipeline.workflows.allocator import keep_freed_memory
from pipeline.workflows.bundle_command import BundleCommand
from pipeline.workflows.options import check_options
from pipeline.workflows.output_folder import check_output_folder
from pipeline.workflows.ranks import Ranks
from pipeline.workflows.typed_values import as_typed

logger = logging.getLogger("vlsenet")

COMMON_FILE = "common.yaml"
#: what MONAI runs of a config
_STEPS = ("imports", "initialize", "run")
#: entries that this module and MONAI read by name
_READ_HERE = ("output_dir", "resume", "overwrite", "bundle_root")


def begin(command: str) -> None:
    """Check overrides and options of a bundle command; first entry of ``initialize`` in each config.

    A config given without ``common.yaml`` is restarted with it, and so is a command whose values MONAI misread.

    Args:
        command: ``train``, ``evaluate``, ``inference``, ``audit``, ``scan`` or ``export``.

    Raises:
        UserError: an unknown override, or an option that is missing or wrong.
    """
    sys.excepthook = print_user_error
    keep_freed_memory()
    if not Ranks.of_environment().is_first:  # of several processes only one logs
        logging.getLogger("vlsenet").setLevel(logging.ERROR)
    running = BundleCommand.running()
    _start_again_if_needed(running)
    running.check_overrides()
    check_options(command, running.config)
    for name in running.without_effect(_STEPS, _READ_HERE):
        logger.warning("--%s has no effect: %s does not use it", name, command)
    check_output_folder(
        command,
        str(running.config["output_dir"]),
        bool(running.config.get("resume")),
        bool(running.config.get("overwrite")),
    )
    set_mlflow_defaults()


def _start_again_if_needed(running: BundleCommand) -> None:
    """Restart the command with the shared config first and its values as typed; a config can't change itself."""
    if not running.config_files:
        return
    files = list(running.config_files)
    if not any(Path(file).name == COMMON_FILE for file in files):
        common = Path(files[0]).with_name(COMMON_FILE)
        if not common.is_file():
            raise UserError(f"{files[0]}: {common} is missing; copy the bundle's {COMMON_FILE} there")
        files = [str(common), *files]
        if not running.is_run:
            raise UserError(f"{files[1]} needs {COMMON_FILE} before it: give config_file={files}")
    arguments = as_typed(running.arguments, sys.argv) if running.is_run else dict(running.arguments)
    if files != list(running.config_files) or arguments != dict(running.arguments):
        monai.bundle.run(config_file=files, **arguments)
        raise SystemExit(0)


def print_user_error(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print only the message of a user's mistake: MONAI wraps it in a traceback of a hundred lines."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return
    mistake = mistake_behind(error)
    if mistake is None:
        sys.__excepthook__(kind, error, traceback)
    elif Ranks.of_environment().is_first:  # otherwise each process would print it
        for line in str(mistake).splitlines():
            print(f"error: {line}", file=sys.stderr)
